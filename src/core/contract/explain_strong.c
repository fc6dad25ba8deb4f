/* SPDX-License-Identifier: MIT
 *
 * explain_strong.c: the promise of preset `strong`. Each sentence rests on a law: views, leases and
 * answers on those of replica/primary, times on group/view.h, the identity of requests on
 * agent/remote.h.
 */
#include "core/contract/explain_private.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/duration.h"
#include "core/group/view.h"

/* A time in whole milliseconds, rounded up: a bound that is said must hold. */
struct times {
    char failover[DURATION_TEXT_MAX], lease[DURATION_TEXT_MAX], suspect[DURATION_TEXT_MAX];
    char replace[DURATION_TEXT_MAX];
};

static const char *rounded(uint64_t ns, char buf[DURATION_TEXT_MAX])
{
    return duration_print((ns + DURATION_MS - 1) / DURATION_MS * DURATION_MS, buf);
}

static struct times times_of(const struct contract *c)
{
    struct times t;
    struct timing timing = timing_of(c->failover_ns);
    rounded(timing.failover, t.failover);
    rounded(timing.lease, t.lease);
    rounded(timing.suspect, t.suspect);
    rounded(c->replace_ns, t.replace);
    return t;
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static void say_see(struct speaker *s, const struct contract *c, const struct times *t)
{
    s->topic = EXPLAIN_SEE;
    if (c->read == READ_PRIMARY) {
        say(s, "A read returns the latest write, whichever machine made it: operations are "
               "linearisable (share = unix, read = primary).");
        say(s,
            "The primary answers reads, and only while every other member of the view confirmed "
            "less than %s ago that it is the primary.",
            t->lease);
    } else {
        say(s, "Operations are sequentially consistent, not linearisable (read = one): any one "
               "replica answers a read, and it may be behind the primary.");
        say(s, "All machines see the writes in one order; each sees its own at once and never goes "
               "back in time, but may see another machine's write late.");
    }
    say(s, "Every machine may mount the volume; nothing has to be closed or opened again to be "
           "seen elsewhere.");
    say(s,
        "A read or write of more than 1 MiB is several operations. Appends (O_APPEND) of several "
        "machines do not overwrite each other. Reading does not change times of access.");
    say(s,
        "A file that is mapped into memory (mmap) may show what other machines wrote only when it "
        "is opened again or its attributes are asked for. What is stored into the mapping is "
        "seen elsewhere from msync(MS_SYNC), fsync or munmap on, or when the kernel writes it "
        "back.");
    if (c->read == READ_PRIMARY)
        say(s, "On a Linux before 6.6, a program may see another's write on its own machine while "
               "that is still under way, a moment before anybody else can.");
    say(s, "Locks (flock, fcntl) hold on one machine only: they do not keep other machines out.");
}

static void say_durable(struct speaker *s, const struct contract *c)
{
    s->topic = EXPLAIN_DURABLE;
    say(s,
        "When a call that changes something returns (write, create, rename, remove and all "
        "others, not only fsync), the change is on the disk of every member of the view: of all "
        "%u replicas while none is away, and never of fewer than %u (least = %u).",
        c->replicas, c->least, c->least);
    say(s, "Bytes written through a memory mapping (mmap) count from msync(MS_SYNC) or fsync on; "
           "before, they may be in the memory of that machine alone.");
    say(s, "With fewer than %u %s in the view, changes wait; reads go on.", c->least,
        plural(c->least, "member", "members"));
}

static void say_crash(struct speaker *s)
{
    s->topic = EXPLAIN_CRASH;
    say(s, "After crashes of replicas, all of them at once too, the volume is as it was after a "
           "prefix of the operations in the primary's order, with everything that was answered, "
           "and no operation half done.");
    say(s, "A call that is under way when the primary fails is asked again of the next one, and "
           "takes effect once.");
    say(s, "If a machine that mounts the volume crashes, each of its calls that was not answered "
           "is either done or not. If only its pactfs is killed, programs on that mount get an "
           "error (Transport endpoint is not connected), they do not hang.");
}

static void say_losses(struct speaker *s, const struct contract *c)
{
    if (c->replicas == 2)
        say(s, "There are 2 copies. While both are in the view, either may be lost, and no "
               "answered change is lost with it.");
    else
        say(s,
            "There are %u copies. While all are in the view, any %u of them may be lost, at once "
            "or one after another, and no answered change is lost with them.",
            c->replicas, c->replicas - 1);
    if (c->least == 1)
        say(s, "While others are away, one copy alone takes changes (least = 1): if its disk is "
               "lost before another has caught up, what was answered meanwhile is lost.");
    else
        say(s,
            "While others are away, every change is still on %u disks at least: any %u more may be "
            "lost.",
            c->least, c->least - 1);
}

static void say_loss(struct speaker *s, const struct contract *c, const struct times *t)
{
    s->topic = EXPLAIN_LOSS;
    say_losses(s, c);
    if (c->replicas > c->least)
        say(s,
            "Up to %u %s fail or stop at once, and calls go on within %s, without an error to "
            "programs; meanwhile they wait. For that the registry has to be in reach: more than "
            "half of its nodes.",
            c->replicas - c->least, plural(c->replicas - c->least, "replica may", "replicas may"),
            t->failover);
    else
        say(s, "Changes wait while any replica is away (least = replicas), until it is back or "
               "another has taken its place.");
    if (c->replace_ns)
        say(s,
            "A replica that is away for longer than %s is replaced on a spare node, if there "
            "is one (replace = %s).",
            t->replace, t->replace);
    else
        say(s, "A replica that is lost for good is not replaced by itself (replace = never).");
    say(s, "Every byte has a checksum: damaged data is never served; pactfs scrub finds it and "
           "has it fetched anew from another replica.");
    say(s, "Deleting a file deletes it on all replicas: keep backups.");
}

static void say_partition(struct speaker *s, const struct contract *c, const struct times *t,
                          const struct explain_state *state)
{
    char patience[DURATION_TEXT_MAX];
    s->topic = EXPLAIN_PARTITION;
    say(s,
        "The side goes on, within %s, that reaches the registry's majority and has a member of the "
        "view; with fewer than %u %s there, only its reads.",
        t->failover, c->least, plural(c->least, "member", "members"));
    if (c->read == READ_PRIMARY)
        say(s,
            "On every other side, calls wait: a primary that is cut off answers nothing from %s "
            "after it last heard of the others on, before anybody takes over (%s).",
            t->lease, t->suspect);
    else
        say(s, "On every other side, changes wait, and reads may be answered from a copy that is "
               "behind.");
    if (state->patience_ms)
        say(s,
            "Calls wait for %s at most, then they get an error. A program that is killed meanwhile "
            "goes at once.",
            duration_print(state->patience_ms * DURATION_MS, patience));
    say(s, "Without the registry everything goes on as long as the members of the view reach each "
           "other; only who belongs to the view cannot change until it is back.");
    say(s,
        "A process that is stopped, or whose disk stands still for more than %s, counts as lost. "
        "When it is back it has no say until it has caught up.",
        t->suspect);
    say(s, "A replica that comes back, after however long, is brought up to date by the others "
           "while calls go on; it needs no person.");
}

static void say_rest(struct speaker *s)
{
    s->topic = EXPLAIN_VERSIONS;
    say(s, "Only the newest version of each file is kept (versions = none).");
    s->topic = EXPLAIN_PROOF;
    say(s,
        "Shown by trial, in simulated cells of three and five replicas: kills, power cuts, "
        "stopped processes, disks that freeze, fail, fill and get lost, partitions of all kinds, "
        "clocks that drift, outages of the registry. What clients saw is held against this "
        "promise. pactfs sim repeats it: scenarios primary-*.");
    say(s, "Experimental: real networks and disks of several machines. What real programs see can "
           "be written down and judged: pactfs record, pactfs check.");
    say(s, "It rests on the disks and the kernels keeping fdatasync's word, and on clocks that "
           "measure a few seconds alike to a tenth.");
}

/* --- now --- */

static const char *short_time(uint64_t ms, char buf[DURATION_TEXT_MAX])
{
    uint64_t s = ms / 1000;
    if (s < 120)
        snprintf(buf, DURATION_TEXT_MAX, "%llu s", (unsigned long long)s);
    else if (s < 7200)
        snprintf(buf, DURATION_TEXT_MAX, "%llu min", (unsigned long long)(s / 60));
    else
        snprintf(buf, DURATION_TEXT_MAX, "%llu h", (unsigned long long)(s / 3600));
    return buf;
}

static bool has_part(const struct explain_replica *r, const char *part)
{
    return strcmp(r->part, part) == 0;
}

static void say_replica(struct speaker *s, const struct explain_replica *r)
{
    char a[DURATION_TEXT_MAX];
    if (has_part(r, "primary")) {
        say(s, "%.64s is the primary.", r->node);
    } else if (has_part(r, "backup") && r->lag_ms >= 1000) {
        say(s, "%.64s is a backup, %s behind.", r->node, short_time(r->lag_ms, a));
    } else if (has_part(r, "backup")) {
        say(s, "%.64s is a backup.", r->node);
    } else if (has_part(r, "joining") && r->repair_left_ms != UINT64_MAX) {
        say(s, "%.64s is being brought up to date: %llu MiB, about %s, are left.", r->node,
            (unsigned long long)(r->lag_bytes >> 20), short_time(r->repair_left_ms, a));
    } else if (has_part(r, "joining")) {
        say(s, "%.64s is being brought up to date.", r->node);
    } else if (r->away_ms) {
        say(s, "%.64s has been away for %s.", r->node, short_time(r->away_ms, a));
    } else {
        say(s, "%.64s is away.", r->node);
    }
}

static uint32_t members(const struct explain_state *state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->replica_count; i++)
        count +=
            has_part(&state->replicas[i], "primary") || has_part(&state->replicas[i], "backup");
    return count;
}

static void say_now(struct speaker *s, const struct contract *c, const struct explain_state *state)
{
    s->topic = EXPLAIN_NOW;
    INVARIANT(state->replica_count <= GROUP_MAX);
    if (!state->running) {
        say(s, "Nothing is known of it right now.");
        return;
    }
    uint32_t there = members(state);
    if (!state->serves)
        say(s, "Calls wait: no primary answers.");
    else if (!state->writes)
        say(s, "Reads are answered; changes wait, because the view has %u %s and least = %u.",
            there, plural(there, "member", "members"), c->least);
    else
        say(s, "It answers. View %llu has %u of %u replicas.", (unsigned long long)state->view,
            there, c->replicas);
    for (uint32_t i = 0; i < state->replica_count; i++)
        say_replica(s, &state->replicas[i]);
    if (!state->registry)
        say(s, "The registry is out of reach: the view stands as it is.");
    if (c->replace_ns && state->spares == 0)
        say(s, "There is no spare node: a replica that is lost is replaced when another node has "
               "joined (pactfs invite).");
    else if (c->replace_ns)
        say(s, "%u spare %s could take the place of a lost replica.", state->spares,
            plural(state->spares, "node", "nodes"));
    if (state->problems)
        say(s, "%llu damaged places were found since the start; pactfs scrub has them mended.",
            (unsigned long long)state->problems);
}

void explain_strong(struct speaker *s, const struct contract *contract,
                    const struct explain_state *state)
{
    struct times t = times_of(contract);
    /* These sentences are true of this contract only. */
    INVARIANT(contract->preset == PRESET_STRONG && contract->replicas >= 2);
    INVARIANT(contract->replicate == REPLICATE_PRIMARY && contract->share == SHARE_UNIX);
    say_see(s, contract, &t);
    say_durable(s, contract);
    say_crash(s);
    say_loss(s, contract, &t);
    say_partition(s, contract, &t, state);
    say_rest(s);
    say_now(s, contract, state);
}

void explain_strong_brief(struct speaker *s, const struct contract *contract)
{
    struct times t = times_of(contract);
    s->topic = EXPLAIN_SEE;
    if (contract->read == READ_PRIMARY)
        say(s, "A read returns the latest write, whichever machine made it.");
    else
        say(s, "All machines see writes in one order, each its own at once (read = one).");
    s->topic = EXPLAIN_DURABLE;
    say(s, "What was answered is on the disks of all members of the view, at least %u of %u.",
        contract->least, contract->replicas);
    s->topic = EXPLAIN_LOSS;
    if (contract->replicas > contract->least)
        say(s,
            "While all %u copies are there, any %u may be lost without losing an answered change; "
            "when a machine fails, calls wait for at most %s.",
            contract->replicas, contract->replicas - 1, t.failover);
    else
        say(s,
            "While all %u copies are there, any %u may be lost without losing an answered change; "
            "when a machine fails, changes wait until it is back or replaced (least = replicas).",
            contract->replicas, contract->replicas - 1);
}
