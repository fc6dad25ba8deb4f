/* SPDX-License-Identifier: MIT
 *
 * scan.c: see scan.h.
 */
#include "io/history/scan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

void scan_begin(struct scan *scan, struct bytes text)
{
    scan->start = scan->at = text.data;
    scan->end = text.data + text.len;
    scan->problem = NULL;
    scan->problem_at = NULL;
}

void scan_free(struct scan *scan)
{
    free(scan->unescaped);
    *scan = (struct scan){0};
}

bool scan_problem(struct scan *scan, const uint8_t *at, const char *problem)
{
    if (!scan->problem) {
        scan->problem = problem;
        scan->problem_at = at;
    }
    return false;
}

static void blanks(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n'))
        scan->at++;
}

bool scan_ended(struct scan *scan)
{
    blanks(scan);
    return scan->at == scan->end;
}

enum scan_kind scan_kind(struct scan *scan)
{
    blanks(scan);
    if (scan->at == scan->end)
        return SCAN_NOTHING;
    switch (*scan->at) {
    case '{':
        return SCAN_OBJECT;
    case '[':
        return SCAN_ARRAY;
    case '"':
        return SCAN_STRING;
    case 't':
    case 'f':
        return SCAN_BOOL;
    case 'n':
        return SCAN_NULL;
    default:
        return *scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9') ? SCAN_NUMBER
                                                                          : SCAN_NOTHING;
    }
}

bool scan_open(struct scan *scan, char open)
{
    blanks(scan);
    if (scan->at < scan->end && *scan->at == (uint8_t)open) {
        scan->at++;
        return true;
    }
    return scan_problem(scan, scan->at,
                        open == '{' ? "here an object { } is due" : "here an array [ ] is due");
}

bool scan_more(struct scan *scan, char close, bool *first)
{
    bool begins = *first;
    *first = false;
    blanks(scan);
    if (scan->problem)
        return false;
    if (scan->at == scan->end)
        return scan_problem(scan, scan->at, "the line ends in the middle");
    if (*scan->at == (uint8_t)close) {
        scan->at++;
        return false;
    }
    if (begins)
        return true;
    if (*scan->at != ',')
        return scan_problem(scan, scan->at,
                            close == '}' ? "here a comma or } is due" : "here a comma or ] is due");
    scan->at++;
    return true;
}

bool scan_name(struct scan *scan, struct bytes *name)
{
    if (!scan_string(scan, name))
        return false;
    blanks(scan);
    if (scan->at == scan->end || *scan->at != ':')
        return scan_problem(scan, scan->at, "here a colon is due");
    scan->at++;
    return true;
}

/* --- strings --- */

/* How long a UTF-8 sequence that begins so is (RFC 3629); 0: none begins so. */
static size_t utf8_due(uint8_t lead)
{
    return lead < 0x80   ? 1
           : lead < 0xc2 ? 0
           : lead < 0xe0 ? 2
           : lead < 0xf0 ? 3
           : lead < 0xf5 ? 4
                         : 0;
}

/* The length of the UTF-8 sequence at `at`, or 0 when it is none. */
static size_t utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t lead = *at, low = 0x80, high = 0xbf;
    size_t len = utf8_due(lead);
    if (len == 0 || (size_t)(end - at) < len)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f; /* no surrogates */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
        if (at[i] < low || at[i] > high)
            return 0;
    return len;
}

static bool hex4(struct scan *scan, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        if (scan->at == scan->end)
            return scan_problem(scan, scan->at, "the line ends in the middle");
        uint8_t c = *scan->at;
        uint8_t low = c | 0x20;
        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            *code = *code << 4 | (uint32_t)(low - 'a' + 10);
        else
            return scan_problem(scan, scan->at, "\\u takes four hexadecimal digits");
        scan->at++;
    }
    return true;
}

static size_t put_utf8(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Behind "\u": one code point, perhaps as a pair of surrogates. */
static bool unicode_escape(struct scan *scan, uint32_t *code)
{
    const uint8_t *from = scan->at;
    uint32_t low;
    if (!hex4(scan, code))
        return false;
    if (*code == 0)
        return scan_problem(scan, from, "a string cannot hold \\u0000");
    if (*code < 0xd800 || *code > 0xdfff)
        return true;
    if (*code > 0xdbff || scan->end - scan->at < 2 || memcmp(scan->at, "\\u", 2) != 0)
        return scan_problem(scan, scan->end - scan->at < 2 ? scan->end : from,
                            "half of a surrogate pair");
    scan->at += 2;
    if (!hex4(scan, &low))
        return false;
    if (low < 0xdc00 || low > 0xdfff)
        return scan_problem(scan, from, "half of a surrogate pair");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* One escape at the backslash, as `*len` bytes (at most 4) at `out`. */
static bool escape(struct scan *scan, uint8_t *out, size_t *len)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    if (scan->end - scan->at < 2)
        return scan_problem(scan, scan->end, "the line ends in the middle");
    scan->at++;
    const char *letter = memchr(letters, *scan->at, sizeof letters - 1);
    if (letter) {
        scan->at++;
        *out = (uint8_t)bytes[letter - letters];
        *len = 1;
        return true;
    }
    if (*scan->at != 'u')
        return scan_problem(scan, scan->at,
                            "no such escape; there are \\\" \\\\ \\/ \\b \\f \\n "
                            "\\r \\t and \\uXXXX");
    scan->at++;
    if (!unicode_escape(scan, &code))
        return false;
    *len = put_utf8(out, code);
    return true;
}

static void need_unescaped(struct scan *scan, size_t size)
{
    if (size <= scan->unescaped_room)
        return;
    scan->unescaped_room = size < 256 ? 256 : size * 2;
    scan->unescaped = realloc(scan->unescaped, scan->unescaped_room);
    INVARIANT(scan->unescaped != NULL);
}

/* Goes on at the first byte that is not plain ASCII text; what stood before is at `from`. */
static bool string_slowly(struct scan *scan, const uint8_t *from, struct bytes *string)
{
    size_t used = (size_t)(scan->at - from), len = 0;
    need_unescaped(scan, used + 8);
    memcpy(scan->unescaped, from, used);
    while (scan->at < scan->end && *scan->at != '"') {
        need_unescaped(scan, used + 8);
        if (*scan->at == '\\') {
            if (!escape(scan, scan->unescaped + used, &len))
                return false;
        } else {
            len = utf8_length(scan->at, scan->end);
            bool cut = (size_t)(scan->end - scan->at) < utf8_due(*scan->at);
            if (*scan->at < 0x20)
                return scan_problem(scan, scan->at, "a control character; write it as \\uXXXX");
            if (len == 0)
                return scan_problem(scan, cut ? scan->end : scan->at, "these bytes are not UTF-8");
            memcpy(scan->unescaped + used, scan->at, len);
            scan->at += len;
        }
        used += len;
    }
    if (scan->at == scan->end)
        return scan_problem(scan, scan->at, "the string does not end");
    scan->at++;
    *string = (struct bytes){scan->unescaped, used};
    return true;
}

bool scan_string(struct scan *scan, struct bytes *string)
{
    blanks(scan);
    if (scan->at == scan->end || *scan->at != '"')
        return scan_problem(scan, scan->at, "here a string is due");
    const uint8_t *from = ++scan->at;
    while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\\' && *scan->at >= 0x20 &&
           *scan->at < 0x80)
        scan->at++;
    if (scan->at == scan->end || *scan->at != '"')
        return string_slowly(scan, from, string);
    *string = (struct bytes){from, (size_t)(scan->at - from)};
    scan->at++;
    return true;
}

/* --- the rest --- */

static bool digits(struct scan *scan)
{
    const uint8_t *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > from ? true : scan_problem(scan, scan->at, "here a digit is due");
}

bool scan_integer(struct scan *scan, int64_t *number)
{
    blanks(scan);
    const uint8_t *from = scan->at;
    bool negative = scan->at < scan->end && *scan->at == '-';
    scan->at += negative;
    const uint8_t *first = scan->at;
    if (!digits(scan))
        return scan->at < scan->end ? scan_problem(scan, from, "here a whole number is due")
                                    : false;
    if (scan->at < scan->end && (*scan->at == '.' || *scan->at == 'e' || *scan->at == 'E'))
        return scan_problem(scan, from, "the number is not whole; give it as a string");
    if (*first == '0' && scan->at - first > 1)
        return scan_problem(scan, from, "a number does not begin with 0");
    uint64_t sum = 0;
    for (const uint8_t *at = first; at < scan->at; at++) {
        if (sum > (uint64_t)(INT64_MAX - (*at - '0')) / 10)
            return scan_problem(scan, from,
                                "the number does not fit into 64 bits; give it as a string");
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    *number = negative ? -(int64_t)sum : (int64_t)sum;
    return true;
}

/* RFC 8259, 6. */
static bool skip_number(struct scan *scan)
{
    if (*scan->at == '-')
        scan->at++;
    const uint8_t *from = scan->at;
    if (!digits(scan))
        return false;
    if (*from == '0' && scan->at - from > 1)
        return scan_problem(scan, from, "a number does not begin with 0");
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!digits(scan))
            return false;
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e') {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        if (!digits(scan))
            return false;
    }
    return true;
}

static bool literal(struct scan *scan, const char *word)
{
    size_t len = strlen(word), left = (size_t)(scan->end - scan->at);
    if (left < len && memcmp(scan->at, word, left) == 0)
        return scan_problem(scan, scan->end, "the line ends in the middle");
    if (left < len || memcmp(scan->at, word, len) != 0)
        return scan_problem(scan, scan->at, "this is no JSON value");
    scan->at += len;
    return true;
}

bool scan_bool(struct scan *scan, bool *value)
{
    if (scan_kind(scan) != SCAN_BOOL)
        return scan_problem(scan, scan->at, "here true or false is due");
    *value = *scan->at == 't';
    return literal(scan, *value ? "true" : "false");
}

bool scan_null(struct scan *scan)
{
    if (scan_kind(scan) != SCAN_NULL)
        return scan_problem(scan, scan->at, "here null is due");
    return literal(scan, "null");
}

static bool skip_scalar(struct scan *scan)
{
    struct bytes ignored;
    bool value;
    switch (scan_kind(scan)) {
    case SCAN_STRING:
        return scan_string(scan, &ignored);
    case SCAN_NUMBER:
        return skip_number(scan);
    case SCAN_BOOL:
        return scan_bool(scan, &value);
    case SCAN_NULL:
        return scan_null(scan);
    default:
        return scan_problem(scan, scan->at,
                            scan->at == scan->end ? "the line ends in the middle"
                                                  : "this is no JSON value");
    }
}

/* Without recursion: a bit for each array or object that is open says which it is. */
bool scan_skip(struct scan *scan)
{
    uint64_t objects = 0;
    unsigned depth = 0;
    struct bytes name;
    do {
        bool first = false;
        enum scan_kind kind = scan_kind(scan);
        if (kind == SCAN_OBJECT || kind == SCAN_ARRAY) {
            if (depth == SCAN_DEPTH_MAX)
                return scan_problem(scan, scan->at, "more than 64 levels of arrays and objects");
            objects = objects << 1 | (kind == SCAN_OBJECT);
            depth++;
            scan->at++;
            first = true;
        } else if (!skip_scalar(scan)) {
            return false;
        }
        while (depth > 0 && !scan_more(scan, objects & 1 ? '}' : ']', &first)) {
            if (scan->problem)
                return false;
            objects >>= 1;
            depth--;
        }
        if (depth > 0 && objects & 1 && !scan_name(scan, &name))
            return false;
    } while (depth > 0);
    return true;
}
