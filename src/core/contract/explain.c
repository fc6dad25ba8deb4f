/* SPDX-License-Identifier: MIT
 *
 * explain.c: see explain.h for the law. Sentences are short and name the calls that programs use.
 * Here are those of preset `local`; explain_strong.c has the others.
 */
#include "core/contract/explain_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/assert.h"

static const struct {
    const char *name, *heading;
} topics[EXPLAIN_TOPICS] = {
    [EXPLAIN_SEE] = {"see", "Who sees a write, and when"},
    [EXPLAIN_DURABLE] = {"durable", "What is on the disk, and when"},
    [EXPLAIN_CRASH] = {"crash", "What a crash leaves"},
    [EXPLAIN_LOSS] = {"loss", "Which loss it survives"},
    [EXPLAIN_PARTITION] = {"partition", "When machines are cut off from each other"},
    [EXPLAIN_VERSIONS] = {"versions", "What is kept of the past"},
    [EXPLAIN_PROOF] = {"proof", "How far this has been shown"},
    [EXPLAIN_NOW] = {"now", "Right now"},
};

const char *explain_topic_name(enum explain_topic topic)
{
    INVARIANT((unsigned)topic < EXPLAIN_TOPICS);
    return topics[topic].name;
}

const char *explain_topic_heading(enum explain_topic topic)
{
    INVARIANT((unsigned)topic < EXPLAIN_TOPICS);
    return topics[topic].heading;
}

void say(const struct speaker *s, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    INVARIANT(n > 0 && (size_t)n < sizeof sentence);
    s->say(s->ctx, s->topic, sentence);
}

/* "1 s", "500 ms", "30 s" */
static const char *seconds(uint64_t ms, char *buf, size_t size)
{
    if (ms % 1000 == 0)
        snprintf(buf, size, "%llu s", (unsigned long long)(ms / 1000));
    else
        snprintf(buf, size, "%llu ms", (unsigned long long)ms);
    return buf;
}

static void say_see(struct speaker *s)
{
    s->topic = EXPLAIN_SEE;
    say(s, "A read returns the latest write, whichever program made it (share = unix).");
    say(s, "The volume is mounted once, on this machine; there is no other client to wait for.");
}

static void say_page_cache(struct speaker *s, const struct explain_state *state)
{
    char expire[32], look[32];
    if (!state->writeback)
        return;
    if (state->dirty_expire_ms == 0)
        say(s, "Data that a program wrote and did not sync may stay in the kernel's page cache; "
               "until it is written back from there, a crash loses it.");
    else
        say(s,
            "Data that a program wrote and did not sync may stay in the kernel's page cache until "
            "it is %s old and the kernel looks again, every %s; until then a crash loses it.",
            seconds(state->dirty_expire_ms, expire, sizeof expire),
            seconds(state->dirty_writeback_ms, look, sizeof look));
}

static void say_durable(struct speaker *s, const struct explain_state *state)
{
    char bound[32];
    seconds(state->unsynced_ms, bound, sizeof bound);
    s->topic = EXPLAIN_DURABLE;
    say(s, "When fsync, fdatasync or msync(MS_SYNC) returns, and when a write to a file opened "
           "with O_SYNC or O_DSYNC returns, the data is on the disk.");
    say(s,
        "Creating, renaming, linking and removing reach PactFS at once and are on the disk at "
        "most %s later, or as soon as any fsync in the volume returns, of a file or of a "
        "directory.",
        bound);
    say_page_cache(s, state);
    say(s, "What has reached PactFS is on the disk at most %s later.", bound);
    say(s, "close, sync and syncfs promise nothing more: Linux does not pass sync and syncfs on to "
           "a FUSE file system. Use fsync.");
}

static void say_crash(struct speaker *s)
{
    s->topic = EXPLAIN_CRASH;
    say(s, "After a crash of the machine or of PactFS the volume is as it was at some moment: a "
           "prefix of the operations in the order in which they reached PactFS, with everything "
           "that was synced, and no operation half done.");
    say(s, "If PactFS is killed, programs on the mount get an error (Transport endpoint is not "
           "connected), they do not hang; data still in the page cache is lost.");
}

static void say_loss(struct speaker *s)
{
    s->topic = EXPLAIN_LOSS;
    say(s, "There is one copy, on one disk: if the disk is lost, the volume is lost. Keep "
           "backups.");
    say(s, "Every byte has a checksum: damaged data gives an input/output error and is never "
           "served; with one copy it cannot be repaired. pactfs scrub looks for damage.");
    say(s, "When the disk under it is full, writes fail with ENOSPC; reading and deleting go on.");
}

static void say_rest(struct speaker *s)
{
    s->topic = EXPLAIN_PARTITION;
    say(s, "Nothing: no other machine takes part.");
    s->topic = EXPLAIN_VERSIONS;
    say(s, "Only the newest version of each file is kept (versions = none).");
    s->topic = EXPLAIN_PROOF;
    say(s,
        "Proven, by trial: the same code runs in a simulated world under power cuts, kills, rot, "
        "full and failing disks and clocks that jump, and what clients saw is held against this "
        "promise; pactfs sim repeats it with as many seeds as you like.");
    say(s, "What real programs see on the mount can be written down and judged: pactfs record, "
           "pactfs check.");
    say(s, "It rests on the disk and the kernel keeping fdatasync's word.");
}

static void say_now(struct speaker *s, const struct explain_state *state)
{
    s->topic = EXPLAIN_NOW;
    if (!state->running) {
        say(s, "The volume is not running.");
        return;
    }
    if (state->mount)
        say(s, "It is mounted at %.400s.", state->mount);
    else
        say(s, "It is running, but not mounted; pactfs mount mounts it.");
    say(s, "%llu MiB are in use in %llu MiB of log; the disk has %llu MiB left.",
        (unsigned long long)(state->live_bytes >> 20), (unsigned long long)(state->log_bytes >> 20),
        (unsigned long long)(state->disk_available >> 20));
    if (state->failed)
        say(s, "The disk reported an error while writing: nothing more is accepted. Look at the "
               "log, then restart with pactfs down and pactfs up.");
    if (state->full)
        say(s, "The disk is full: only deleting is possible.");
    if (state->problems)
        say(s, "%llu damaged places were found since the start; pactfs scrub lists them.",
            (unsigned long long)state->problems);
}

void explain(const struct contract *contract, const struct explain_state *state,
             void (*callback)(void *ctx, enum explain_topic topic, const char *sentence), void *ctx)
{
    struct speaker s = {.say = callback, .ctx = ctx};
    if (contract->preset == PRESET_STRONG) {
        explain_strong(&s, contract, state);
        return;
    }
    /* These sentences are true of this contract only. */
    INVARIANT(contract->preset == PRESET_LOCAL && contract->replicas == 1);
    INVARIANT(contract->share == SHARE_UNIX && contract->versions == VERSIONS_NONE);
    say_see(&s);
    say_durable(&s, state);
    say_crash(&s);
    say_loss(&s);
    say_rest(&s);
    say_now(&s, state);
}

void explain_brief(const struct contract *contract, const struct explain_state *state,
                   void (*callback)(void *ctx, enum explain_topic topic, const char *sentence),
                   void *ctx)
{
    struct speaker s = {.say = callback, .ctx = ctx, .topic = EXPLAIN_SEE};
    char bound[32];
    if (contract->preset == PRESET_STRONG) {
        explain_strong_brief(&s, contract);
        return;
    }
    INVARIANT(contract->preset == PRESET_LOCAL && contract->replicas == 1);
    say(&s, "A read returns the latest write.");
    s.topic = EXPLAIN_DURABLE;
    say(&s,
        "What fsync acknowledged is on the disk; renames and removals follow within %s; data that "
        "was not synced may be lost in a crash.",
        seconds(state->unsynced_ms, bound, sizeof bound));
    s.topic = EXPLAIN_LOSS;
    say(&s, "One copy: the loss of the disk loses the volume.");
}
