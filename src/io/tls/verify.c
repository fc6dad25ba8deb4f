/* SPDX-License-Identifier: MIT
 *
 * verify.c: whose certificate is accepted, and sentences about those that are not.
 *
 * OpenSSL has looked at signatures and times; here: what the certificate says, whether it was
 * revoked, and whether its owner may be at this end. A refusal in the callback reaches the other
 * end as an alert, so both can say why.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

/* X509_V_ERR_* of a refusal, X509_V_OK. */
static int judge(struct conn *conn, X509 *certificate)
{
    struct transport *t = conn->transport;
    struct identity *who = &conn->identity;
    struct store_error error;
    if (identity_of(certificate, who, &error) != OK)
        return X509_V_ERR_APPLICATION_VERIFICATION;
    if (t->options.revoked && t->options.revoked(t->options.ctx, who->serial))
        return X509_V_ERR_CERT_REVOKED;
    if (who->role == ROLE_NODE && who->node == t->net.self) {
        snprintf(conn->why, sizeof conn->why, "it has the certificate of this node, %u", who->node);
        return X509_V_ERR_APPLICATION_VERIFICATION;
    }
    if (conn->server)
        return X509_V_OK;
    if (who->role != ROLE_NODE || who->node != conn->dialled) {
        snprintf(conn->why, sizeof conn->why, "it is %s %u (%.60s), not node %u",
                 who->role == ROLE_NODE ? "node" : "no node,", who->node, who->name, conn->dialled);
        return X509_V_ERR_APPLICATION_VERIFICATION;
    }
    return X509_V_OK;
}

int verify_peer(int preverified, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct conn *conn = SSL_get_app_data(ssl);
    if (preverified != 1 || X509_STORE_CTX_get_error_depth(store) != 0)
        return preverified;
    int verdict = judge(conn, X509_STORE_CTX_get0_cert(store));
    if (verdict == X509_V_OK)
        return 1;
    X509_STORE_CTX_set_error(store, verdict);
    return 0;
}

/* --- sentences --- */

/* What the other end said before it hung up. */
static const char *alert_text(int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "it has expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return "it was revoked";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        return "it is of another cell";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "there is none";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return "it is not acceptable";
    default:
        return NULL;
    }
}

static void certificate_trouble(long result, const char *address, const char *why,
                                char out[SENTENCE])
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(out, SENTENCE, "The certificate of %.150s has expired.", address);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(out, SENTENCE,
                 "The certificate of %.150s is not valid yet: compare the machines' clocks.",
                 address);
        break;
    case X509_V_ERR_CERT_REVOKED:
        snprintf(out, SENTENCE, "The certificate of %.150s was revoked.", address);
        break;
    case X509_V_ERR_APPLICATION_VERIFICATION:
        snprintf(out, SENTENCE, "%.120s is refused: %.120s.", address,
                 why[0] ? why : "its certificate is of no kind that a cell has");
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(out, SENTENCE, "The certificate of %.150s is not that of a node.", address);
        break;
    default:
        snprintf(out, SENTENCE, "%.150s is not of this cell: its certificate is another's.",
                 address);
        break;
    }
}

static int last_reason(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
}

bool verify_certificates(const SSL *ssl)
{
    int reason = last_reason();
    return SSL_get_verify_result(ssl) != X509_V_OK || alert_text(reason) ||
           reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

void verify_trouble(const SSL *ssl, const char *address, const char *why, char out[SENTENCE])
{
    long result = SSL_get_verify_result(ssl);
    const char *said = alert_text(last_reason());
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (result != X509_V_OK)
        certificate_trouble(result, address, why, out);
    else if (said)
        snprintf(out, SENTENCE, "%.120s does not accept this machine's certificate: %s.", address,
                 said);
    else if (reason)
        snprintf(out, SENTENCE, "%.120s does not speak as a PactFS node does (%.80s).", address,
                 reason);
    else
        snprintf(out, SENTENCE, "%.150s hung up.", address);
    ERR_clear_error();
}
