/* SPDX-License-Identifier: MIT
 *
 * table.c: columns for people.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/assert.h"

void table_cell(struct table *table, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = realloc(table->cells, table->room * sizeof *table->cells);
        INVARIANT(table->cells != NULL);
    }
    table->cells[table->count] = strdup(text[0] ? text : "-");
    INVARIANT(table->cells[table->count] != NULL);
    table->count++;
}

/* Letters, not bytes: what continues a UTF-8 letter takes no column. */
static unsigned width(const char *text)
{
    unsigned letters = 0;
    for (; *text; text++)
        letters += ((unsigned char)*text & 0xc0) != 0x80;
    return letters;
}

static void print_row(const struct table *table, const char *const *row, const unsigned *widths)
{
    fputs(table->indent ? table->indent : "", stdout);
    for (unsigned i = 0; i < table->columns; i++)
        printf("%s%*s", row[i], i + 1 < table->columns ? (int)(widths[i] - width(row[i])) + 2 : 0,
               "");
    putchar('\n');
}

void table_print(struct table *table, const char *const *heads)
{
    unsigned widths[TABLE_COLUMNS];
    INVARIANT(table->columns <= TABLE_COLUMNS && table->count % table->columns == 0);
    for (unsigned i = 0; i < table->columns; i++)
        widths[i] = width(heads[i]);
    for (unsigned i = 0; i < table->count; i++)
        if (width(table->cells[i]) > widths[i % table->columns])
            widths[i % table->columns] = width(table->cells[i]);
    if (on_terminal())
        fputs("\033[1m", stdout);
    print_row(table, heads, widths);
    if (on_terminal())
        fputs("\033[0m", stdout);
    for (unsigned i = 0; i < table->count; i += table->columns)
        print_row(table, (const char *const *)&table->cells[i], widths);
    for (unsigned i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->count = table->room = 0;
}
