/* SPDX-License-Identifier: MIT
 *
 * rules.c: the table.
 */
#include "core/contract/rules.h"

#include <string.h>

#include "core/contract/nearest.h"

#define UNIX "a read returns the latest write; other sharing semantics are not built yet"
#define ONE  "with one copy "

const struct rule rules[RULES] = {
    [KEY_PRESET] = {.key = "preset",
                    .under = {{{"local", "strong"}, "local and strong are what is built"},
                              {{"local", "strong"}, "local and strong are what is built"}},
                    .known = {"mirror", "config", "fast-read", "offline", "edge", "calendar", "vm",
                              "bft"}},
    [KEY_REPLICATE] = {.key = "replicate",
                       .under = {{{"primary"}, "there is one copy, and it is the primary"},
                                 {{"primary"}, "primary copy is the scheme that is built"}},
                       .known = {"write-all", "available", "available-optimistic", "quorum",
                                 "virtual-partition", "active", "gossip", "bayou", "byzantine"}},
    [KEY_REPLICAS] = {.key = "replicas",
                      .kind = RULE_NUMBER,
                      .under = {{{"1"},
                                 "preset local keeps one copy on one node (preset strong keeps "
                                 "several)"},
                                {{"3"}, NULL}}},
    [KEY_LEAST] = {.key = "least",
                   .kind = RULE_NUMBER,
                   .under = {{{NULL}, ONE "there is no other to wait for"}, {{"2"}, NULL}}},
    [KEY_READ] = {.key = "read",
                  .under = {{{"primary"}, "there is one copy to read"},
                            {{"primary", "one"}, "the primary or any one replica answers a read"}},
                  .known = {"quorum"}},
    [KEY_WRITE] = {.key = "write",
                   .under = {{{"primary"}, "there is one copy to write"},
                             {{"primary"},
                              "the primary orders each write and answers it when all of the view "
                              "have it on their disks"}},
                   .known = {"all", "all-available", "quorum", "gossip"}},
    [KEY_SHARE] = {.key = "share",
                   .under = {{{"unix"}, UNIX}, {{"unix"}, UNIX}},
                   .known = {"session", "transaction", "immutable"}},
    [KEY_ACCESS] = {.key = "access",
                    .under = {{{"cache"}, "the kernel of the one mount caches what it reads"},
                              {{"remote"},
                               "other machines change the volume too, so the replicas are asked; "
                               "caches that leases keep right are not built yet"}},
                    .known = {"whole-file"}},
    [KEY_CACHE] = {.key = "cache",
                   .under = {{{"write-back"},
                              "the kernel of the one mount writes back what programs wrote"},
                             {{NULL},
                              "with access = remote nothing is kept that could be out of date; "
                              "caches that leases keep right are not built yet"}},
                   .known = {"write-through+invalidate", "write-through+update", "write-back",
                             "expire"}},
    [KEY_FAILOVER] = {.key = "failover",
                      .kind = RULE_DURATION,
                      .under = {{{NULL}, ONE "nothing can take over"}, {{"2s"}, NULL}}},
    [KEY_REPLACE] = {.key = "replace",
                     .kind = RULE_DURATION,
                     .under = {{{NULL}, ONE "there is none to replace"}, {{"10m"}, NULL}}},
    [KEY_VERSIONS] = {.key = "versions",
                      .under = {{{"none"}, "only the newest version of a file is kept"},
                                {{"none"}, "only the newest version of a file is kept"}},
                      .known = {"write", "close"}},
    [KEY_SERVER] = {.key = "server",
                    .under = {{{"stateful"}, "the node knows what its one mount has open"},
                              {{"stateful"},
                               "the replicas keep the sessions of their clients, so that each "
                               "change takes effect once"}},
                    .known = {"stateless"}},
    [KEY_MOUNT] = {.key = "mount",
                   .under = {{{"explicit"}, "a volume is mounted by pactfs up or pactfs mount"},
                             {{"explicit"}, "a volume is mounted by pactfs mount"}},
                   .known = {"boot", "auto"}},
    [KEY_BUILT] = {.key = "votes",
                   .under = {{{NULL}, ONE "there is nobody to outvote"},
                             {{NULL}, "primary copy does not vote; quorums are not built yet"}}},
    {.key = "witness",
     .under = {{{NULL}, "a witness needs a group of replicas"},
               {{NULL}, "a witness belongs to quorums, which are not built yet"}}},
    {.key = "order",
     .under = {{{NULL}, ONE "there is one order"},
               {{NULL},
                "the primary's order is the order; active replication and gossip are not "
                "built yet"}}},
    {.key = "isolate",
     .under = {{{NULL}, "each operation is a transaction of its own, one after another"},
               {{NULL},
                "each operation is a transaction of its own; longer ones are not built "
                "yet"}}},
    {.key = "commit",
     .under = {{{NULL}, "a transaction has one participant"},
               {{NULL}, "a transaction has one volume as its participant"}}},
    {.key = "conflict",
     .under = {{{NULL}, "one copy cannot disagree with itself"},
               {{NULL}, "one primary orders all writes, so there are no conflicts"}}},
    {.key = "guarantee",
     .under = {{{NULL}, "one copy gives every session guarantee already"},
               {{NULL}, "every session guarantee is given already"}}},
    {.key = "propagate",
     .under = {{{NULL}, "there is no other copy to send changes to"},
               {{NULL}, "the primary sends each write to all of the view before it is answered"}}},
    {.key = "locate",
     .under = {{{NULL}, "there is one node, and it has the volume"},
               {{NULL}, "the registry knows where a volume is; other ways are not built yet"}}},
};

const struct rule *rule_find(const char *key)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].key, key) == 0)
            return &rules[i];
    return NULL;
}

const char *rule_nearest(const char *key)
{
    const char *words[KEY_BUILT + 1];
    for (size_t i = 0; i < KEY_BUILT; i++)
        words[i] = rules[i].key;
    words[KEY_BUILT] = NULL;
    return nearest_word(key, words);
}
