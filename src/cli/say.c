/* SPDX-License-Identifier: MIT
 *
 * say.c: printing for people. Colour and progress only on a terminal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define COLUMNS 80u

int complain(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, "pactfs: %s\n", text);
    return EXIT_FAILED;
}

bool on_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

void print_heading(const char *text)
{
    if (on_terminal())
        printf("\033[1m%s\033[0m\n", text);
    else
        printf("%s\n", text);
}

void print_wrapped(const char *indent, const char *sentence)
{
    size_t column = strlen(indent);
    fputs(indent, stdout);
    for (const char *word = sentence; *word;) {
        size_t len = strcspn(word, " ");
        if (column > strlen(indent) && column + 1 + len > COLUMNS) {
            printf("\n%s", indent);
            column = strlen(indent);
        } else if (word != sentence) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)len, word);
        column += len;
        word += len;
        word += strspn(word, " ");
    }
    putchar('\n');
}

void print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
}

const char *print_bytes(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned unit = 0;
    uint64_t tenths = bytes * 10;
    if (bytes >= UINT64_MAX / 10)
        tenths = UINT64_MAX;
    while (tenths >= 10240 && unit + 1 < sizeof units / sizeof *units) {
        tenths /= 1024;
        unit++;
    }
    if (unit == 0 || tenths >= 1000)
        snprintf(buf, size, "%llu %s", (unsigned long long)(tenths / 10), units[unit]);
    else
        snprintf(buf, size, "%llu.%llu %s", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10), units[unit]);
    return buf;
}
