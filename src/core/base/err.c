/* SPDX-License-Identifier: MIT */
#include "core/base/err.h"

#include <stddef.h>

static const struct {
    int number;
    const char *name, *text;
} table[ERR_COUNT] = {[OK] = {0, "OK", "no error"},
#define X(name, number, text) [ERR_##name] = {number, #name, text},
                      ERR_TABLE(X)
#undef X
};

int err_errno(enum err e)
{
    return (unsigned)e < ERR_COUNT ? table[e].number : EIO;
}

const char *err_name(enum err e)
{
    return (unsigned)e < ERR_COUNT ? table[e].name : "UNKNOWN";
}

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? table[e].text : "an unknown error";
}

enum err err_from_errno(int number)
{
    switch (number) {
    case 0:
        return OK;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPC;
    case EROFS:
        return ERR_READ_ONLY;
    case EINTR:
    case EAGAIN:
        return ERR_AGAIN;
    case ENOMEM:
        return ERR_NOMEM;
    case EIO:
        return ERR_IO;
    default:
        break;
    }
    for (enum err e = ERR_NOENT; e <= ERR_TXTBSY; e++)
        if (table[e].number == number)
            return e;
    return ERR_IO;
}
