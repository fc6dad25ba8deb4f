/* SPDX-License-Identifier: MIT
 *
 * order.c: lines of the control socket. What is refused has a sentence; what is understood is
 * whole.
 */
#include "node/order.h"

#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct order request;
    const char *sentence = NULL;

    if (order_parse((const char *)data, size, &request, &sentence) != OK) {
        INVARIANT(sentence && sentence[0] != '\0' && !request.json);
        return 0;
    }
    INVARIANT((unsigned)request.name < ORDER_COUNT);
    INVARIANT((request.dir != NULL) == (request.name == ORDER_MOUNT));
    INVARIANT(!request.dir || request.dir[0] == '/');
    order_free(&request);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const char *const lines[] = {
        "{\"request\":\"status\"}",
        "{\"request\":\"stop\"}",
        "{\"request\":\"mount\",\"dir\":\"/mnt/\\u00e9\"}",
        "{\"request\":\"mount\",\"dir\":7,\"more\":[1,2.5e3,null,true,{\"a\":[]}]}",
        "{\"dir\":\"mnt\",\"request\":\"mount\"}",
        "[{}]",
    };

    if (number >= sizeof lines / sizeof lines[0])
        return 0;
    memcpy(out, lines[number], strlen(lines[number]));
    return strlen(lines[number]);
}
