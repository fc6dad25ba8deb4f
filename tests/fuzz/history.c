/* SPDX-License-Identifier: MIT
 *
 * history.c: a history file. What is refused has a place and a sentence; what is read is written
 * and read again, with the same transactions, acts, events and answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"
#include "io/history/history_file.h"

static void write_and_read(const struct history_file *file)
{
    struct history_file again;
    struct history_fault fault;
    const struct history *a = file->history, *b;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    INVARIANT(out && history_file_write(file, out) == OK);
    fclose(out);
    INVARIANT(history_file_decode((struct bytes){(uint8_t *)text, len}, &again, &fault) == OK);
    b = again.history;
    INVARIANT(a->txn_count == b->txn_count && a->act_count == b->act_count);
    INVARIANT(a->event_count == b->event_count && a->next_rank == b->next_rank);
    for (uint32_t i = 0; i < a->act_count; i++) {
        INVARIANT(a->acts[i].code == b->acts[i].code && a->acts[i].count == b->acts[i].count);
        INVARIANT(strcmp(history_text(a, a->acts[i].value), history_text(b, b->acts[i].value)) ==
                  0);
    }
    history_file_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct history_file file;
    struct history_fault fault;

    if (history_file_decode((struct bytes){data, size}, &file, &fault) != OK) {
        INVARIANT(fault.text[0] && memchr(fault.text, 0, sizeof fault.text));
        INVARIANT(fault.line > 0 && fault.column > 0 && fault.column <= size + 1);
        return 0;
    }
    write_and_read(&file);
    history_file_free(&file);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const char *const seeds[] = {
        "{\"pactfs-history\":1,\"volume\":\"home\",\"contract\":\"c\",\"made-by\":\"m\","
        "\"promises\":[\"causal\"],\"models\":{\"s\":\"set\",\"v\":{\"s\":\"counter\"}},\"ends\":"
        "true}"
        "\n{\"time\":1,\"process\":1,\"event\":\"begin\",\"acts\":[[\"append\",\"x\",5],[\"read\","
        "\"x\"],[\"read\",[\"v\",\"s\"]]]}\n"
        "{\"time\":2,\"process\":1,\"event\":\"done\",\"answers\":[null,[1,5],7],\"durable\":true}"
        "\n"
        "{\"event\":\"end\"}\n",
        "{\"pactfs-history\":1}\n"
        "{\"process\":1,\"event\":\"begin\",\"acts\":[[\"cas\",\"r\",null,"
        "\"\\u00e9\\ud834\\udd1e\"],"
        "[\"write\",\"r\",\"b\"],[\"increment\",\"n\",1],[\"add\",\"s\",1],[\"sync\"]]}\n"
        "{\"process\":1,\"event\":\"done\",\"answers\":[{\"fault\":\"CONFLICT\"},null,null,null,"
        "null]}\n{\"event\":\"crash\",\"text\":\"power\"}\n",
        "# a tree\n{\"pactfs-history\":1}\n"
        "{\"process\":1,\"event\":\"begin\",\"acts\":[[\"mkdir\",\"t\",1,\"a\",2],[\"rename\","
        "\"t\",1,"
        "\"a\",1,\"b\",\"new\"],[\"list\",\"t\",1],[\"get\",\"t\",3],[\"put\",\"t\",3,null],"
        "[\"lookup\",\"t\",1,\"b\"]]}\n{\"process\":1,\"event\":\"done\",\"answers\":[null,null,"
        "[\"b\",2],null,{\"fault\":\"NOENT\"},2]}\n{\"process\":2,\"event\":\"begin\",\"acts\":[["
        "\"unlink\",\"t\",1,\"b\"]]}\n{\"process\":2,\"event\":\"unknown\"}\n{\"event\":"
        "\"converged\"}",
    };

    if (number >= sizeof seeds / sizeof seeds[0])
        return 0;
    memcpy(out, seeds[number], strlen(seeds[number]));
    return strlen(seeds[number]);
}
