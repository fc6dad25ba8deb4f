/* SPDX-License-Identifier: MIT
 *
 * pem.c: keys and certificates as files.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tls/private.h"

#define FILE_MAX 65536 /* bytes of a key or certificate */

enum err tls_refuse(struct store_error *error, enum err err, const char *format, ...)
{
    va_list args;
    if (error) {
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return err;
}

enum err tls_refuse_ssl(struct store_error *error, enum err err, const char *what,
                        const char *about)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    tls_refuse(error, err, "%s %.300s: %s.", what, about, reason ? reason : "no reason given");
    ERR_clear_error();
    return err;
}

static enum err refuse_errno(struct store_error *error, const char *what, const char *path)
{
    enum err err = errno == ENOENT ? ERR_NOENT : ERR_IO;
    return tls_refuse(error, err, "%s %.300s: %s.", what, path, strerror(errno));
}

enum err tls_path(char *path, const char *dir, const char *name, const char *ending)
{
    int len = snprintf(path, TLS_PATH_MAX, "%s/%s%s", dir, name, ending);
    return len > 0 && len < TLS_PATH_MAX ? OK : ERR_IO;
}

/* --- writing --- */

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

static bool sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

enum err tls_write(const char *dir, const char *name, const char *ending, const char *text,
                   struct store_error *error)
{
    char path[TLS_PATH_MAX], beside[TLS_PATH_MAX + 8];
    mode_t mode = strcmp(ending, ".key") == 0 ? 0600 : 0644;
    if (tls_path(path, dir, name, ending) != OK)
        return tls_refuse(error, ERR_IO, "The path of %.100s%s is too long.", name, ending);
    snprintf(beside, sizeof beside, "%s.tmp", path);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return refuse_errno(error, "Cannot make", dir);
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse_errno(error, "Cannot make", beside);
    bool good = fchmod(fd, mode) == 0 && write_all(fd, text, strlen(text));
    if (close(fd) != 0 || !good || rename(beside, path) != 0 || !sync_dir(dir)) {
        enum err err = refuse_errno(error, "Cannot write", path);
        unlink(beside);
        return err;
    }
    return OK;
}

/* --- reading --- */

/* The file's bytes with a NUL behind them, malloc'd; NULL with a sentence. */
static char *read_text(const char *path, enum err *err, struct store_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(FILE_MAX + 1) : NULL;
    ssize_t len = text ? read(fd, text, FILE_MAX) : -1;
    if (len < 0) {
        *err = refuse_errno(error, "Cannot read", path);
        free(text);
        text = NULL;
    } else {
        text[len] = 0;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static void forget(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

/* OpenSSL would ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

X509 *tls_certificate_of(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

EVP_PKEY *tls_key_of(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return key;
}

X509 *tls_read_certificate(const char *path, enum err *err, struct store_error *error)
{
    char *text = read_text(path, err, error);
    X509 *certificate = text ? tls_certificate_of(text) : NULL;
    if (text && !certificate)
        *err = tls_refuse_ssl(error, ERR_CERTIFICATE, "There is no certificate in", path);
    free(text);
    return certificate;
}

EVP_PKEY *tls_read_key(const char *path, enum err *err, struct store_error *error)
{
    char *text = read_text(path, err, error);
    EVP_PKEY *key = text ? tls_key_of(text) : NULL;
    if (text && !key)
        *err = tls_refuse_ssl(error, ERR_CERTIFICATE, "There is no private key in", path);
    forget(text);
    return key;
}

/* --- as text --- */

static char *text_of(BIO *bio, int written)
{
    char *data, *text = NULL;
    long len = bio ? BIO_get_mem_data(bio, &data) : 0;
    if (written == 1 && len > 0)
        text = strndup(data, (size_t)len);
    if (len > 0)
        OPENSSL_cleanse(data, (size_t)len);
    BIO_free(bio);
    return text;
}

char *tls_certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, bio ? PEM_write_bio_X509(bio, certificate) : 0);
}

char *tls_key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, bio ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : 0);
}

char *tls_request_text(X509_REQ *request)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of(bio, bio ? PEM_write_bio_X509_REQ(bio, request) : 0);
}
