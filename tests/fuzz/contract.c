/* SPDX-License-Identifier: MIT
 *
 * contract.c: the text of a contract. What is accepted is printed and parsed again (law C2), and is
 * within the limits that replica control relies on.
 */
#include "core/contract/contract.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/group/view.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct contract_fault fault = {0};
    struct contract first, second;
    char text[CONTRACT_PRINT_MAX], again[CONTRACT_PRINT_MAX];
    size_t len;

    if (contract_parse((struct bytes){data, size}, &first, &fault) != OK) {
        INVARIANT(fault.text[0] != '\0' && memchr(fault.text, '\0', sizeof fault.text));
        return 0;
    }
    INVARIANT(first.replicas >= 1 && first.replicas <= GROUP_MAX);
    INVARIANT(first.least >= 1 && first.least <= first.replicas);
    INVARIANT((first.preset == PRESET_STRONG) == (first.replicas > 1 && first.failover_ns > 0));
    INVARIANT(first.replace_ns == 0 || first.replace_ns >= first.failover_ns);
    len = contract_print(&first, text, sizeof text);
    INVARIANT(contract_parse((struct bytes){(uint8_t *)text, len}, &second, &fault) == OK);
    INVARIANT(contract_print(&second, again, sizeof again) == len);
    INVARIANT(memcmp(text, again, len) == 0);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const char *const texts[] = {
        "preset = local\n",
        "# a comment\n\npreset = local # another\nreplicas = 1\n",
        "replicate = primary\nshare = unix\nversions = none\n",
        "replicate = gossip\n",
        "preset = strong\nreplicas = 5\nleast = 3\nread = one\nfailover = 500ms\nreplace = 1h\n",
        "preset = strong\nreplicas = 2\nreplace = never\naccess = remote\n",
        "preset = \tlocal\nreplicas = 99999999999999999999\n",
        "x\n= y\n",
    };
    struct contract contract = contract_default();

    if (number == 0)
        return contract_print(&contract, (char *)out, FUZZ_INPUT_MAX);
    if (number > sizeof texts / sizeof texts[0])
        return 0;
    memcpy(out, texts[number - 1], strlen(texts[number - 1]));
    return strlen(texts[number - 1]);
}
