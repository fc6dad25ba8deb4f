/* SPDX-License-Identifier: MIT
 *
 * scrub.c: verifying every checksum, in steps beside other work.
 *
 * First the segments, as they were when the scrub began: a job reads some records and verifies
 * frames and payloads. Then the index: as a whole in one job (its structure and every entry's
 * checksum), then that each entry's place lies inside a segment that exists, and whether in one of
 * the damaged places (damage.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/store/store_private.h"

#define STEP_BYTES (4u << 20)
#define STEP_KEYS  2000u
#define FOUND_MAX  64u

struct found {
    uint32_t segment;
    uint64_t offset;
    const char *what;
};

struct scrubbing {
    struct env_job job;
    struct store *store;
    struct store_scrub *scrub;
    uint32_t *numbers;
    uint64_t *ends;
    uint32_t count, current;
    bool open, ended;
    bool verified; /* the index as a whole was looked at */
    enum err index_err;
    struct segment *segment;
    struct segment_reader reader;
    struct arena arena;
    struct found found[FOUND_MAX];
    uint32_t found_count;
    struct damage damage;
    uint32_t bad; /* offset of the first bad chunk of a record */
    uint64_t records, bytes;
    struct object_key at;
    struct env_timer timer;
    struct loose loose;
};

static void step(struct scrubbing *s);

bool scrub_busy(const struct store *store)
{
    return store->scrubs > 0;
}

static void report(struct scrubbing *s, uint32_t segment, uint64_t offset, const char *what)
{
    char path[STORE_PATH_MAX];
    s->scrub->problems++;
    s->store->counters.problems++;
    segment_path(s->store->path, segment, path, sizeof path);
    if (s->scrub->problem)
        s->scrub->problem(s->scrub, path, offset, what);
}

static void drop(struct loose *loose)
{
    struct scrubbing *s = (struct scrubbing *)((char *)loose - offsetof(struct scrubbing, loose));
    s->store->env->ops->timer_stop(s->store->env, &s->timer);
    reader_free(&s->reader);
    arena_free(&s->arena);
    damage_free(&s->damage);
    free(s->numbers);
    free(s->ends);
    free(s);
}

static void finish(struct scrubbing *s, enum err err)
{
    struct store_scrub *scrub = s->scrub;
    struct store *store = s->store;
    loose_remove(&s->loose);
    drop(&s->loose);
    store->scrubs--;
    scrub->done(scrub, err);
    store_settle(store);
}

/* --- segments --- */

static void note(struct scrubbing *s, uint64_t offset, const char *what)
{
    if (s->found_count < FOUND_MAX)
        s->found[s->found_count++] = (struct found){s->numbers[s->current], offset, what};
}

static void add_damage(struct scrubbing *s, uint64_t from, uint64_t end, bool unreadable)
{
    struct damage_range range = {s->numbers[s->current], from, end, unreadable, false};
    damage_add(&s->damage, &range);
}

static void check_header(struct scrubbing *s)
{
    uint8_t *header = malloc(SEGMENT_HEADER);
    size_t got = 0;
    INVARIANT(header != NULL);
    enum err err = s->store->env->ops->file_read(s->reader.file, 0, header, SEGMENT_HEADER, &got);
    if (err)
        note(s, 0, "cannot be read");
    else if (got < SEGMENT_HEADER ||
             segment_header_check(header, s->store->identity.uuid, s->numbers[s->current]))
        note(s, 0, "the header of the segment is damaged");
    if (s->found_count)
        add_damage(s, 0, SEGMENT_HEADER, false);
    free(header);
}

static void bad_chunk(void *ctx, uint32_t offset, uint32_t length)
{
    struct scrubbing *s = ctx;
    add_damage(s, offset, (uint64_t)offset + length, false);
    if (!s->bad)
        s->bad = offset;
}

static void check_payload(struct scrubbing *s, const struct reader_record *record)
{
    struct place at = {s->numbers[s->current], record->offset};
    arena_reset(&s->arena);
    s->bad = 0;
    if (record_each_bad(record, at, &s->arena, bad_chunk, s)) {
        s->bad = at.offset;
        add_damage(s, at.offset, at.offset + frame_record_len(&record->frame), true);
    }
    if (s->bad)
        note(s, s->bad, "stored bytes do not match their checksum");
}

/* Past a damaged record; false at the end of the segment. */
static bool pass_over(struct scrubbing *s)
{
    uint64_t from = s->reader.at;
    bool more = reader_resync(&s->reader);
    add_damage(s, from, more ? s->reader.at : s->reader.end, true);
    return more;
}

/* One record; false at the end of the segment. */
static bool check_record(struct scrubbing *s)
{
    struct reader_record record;
    enum err err = reader_next(&s->reader, &record);
    if (!err) {
        check_payload(s, &record);
        s->records++;
        s->bytes += frame_record_len(&record.frame);
        return true;
    }
    if (err == ERR_NOENT && s->reader.at >= s->reader.end)
        return false;
    note(s, s->reader.at, err == ERR_IO ? "cannot be read" : "a record is damaged");
    return pass_over(s);
}

static void scrub_run(struct env_job *job)
{
    struct scrubbing *s = (struct scrubbing *)job;
    uint64_t start = s->bytes;
    if (s->reader.at == SEGMENT_HEADER)
        check_header(s);
    while (!s->ended && s->bytes - start < STEP_BYTES && s->found_count < FOUND_MAX)
        s->ended = !check_record(s);
}

static void close_segment(struct scrubbing *s)
{
    s->segment->readers--;
    s->open = false;
    s->current++;
    reader_free(&s->reader);
}

static void scrub_done(struct env_job *job)
{
    struct scrubbing *s = (struct scrubbing *)job;
    for (uint32_t i = 0; i < s->found_count; i++)
        report(s, s->found[i].segment, s->found[i].offset, s->found[i].what);
    s->found_count = 0;
    s->scrub->records = s->records;
    s->scrub->bytes_done = s->bytes;
    if (s->ended)
        close_segment(s);
    if (s->scrub->progress)
        s->scrub->progress(s->scrub);
    step(s);
}

/* Opens the next segment that still exists. */
static bool next_segment(struct scrubbing *s)
{
    struct store *store = s->store;
    for (; s->current < s->count; s->current++) {
        s->segment = segments_find(&store->segments, s->numbers[s->current]);
        if (!s->segment || s->segment->state == SEGMENT_SPARE ||
            s->segment->state == SEGMENT_DOOMED)
            continue;
        if (segment_open(store, s->segment)) {
            report(s, s->numbers[s->current], 0, "the segment file cannot be opened");
            continue;
        }
        s->segment->readers++;
        s->open = true;
        s->ended = false;
        reader_init(&s->reader, store, s->segment->number, s->segment->file, s->ends[s->current]);
        return true;
    }
    return false;
}

/* --- the index --- */

static bool place_known(const struct store *store, struct place place)
{
    const struct segment *segment = segments_find(&store->segments, place.segment);
    return segment && place.offset < segment->bytes;
}

static bool places_known(const struct store *store, const struct version *version)
{
    if (!version->block)
        return place_known(store, version->place);
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
        if (version->chunks[i].state != CHUNK_ABSENT &&
            !place_known(store, version->chunks[i].place))
            return false;
    return true;
}

static void report_index(struct scrubbing *s, const char *what)
{
    char path[STORE_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/index", s->store->path);
    s->scrub->problems++;
    s->store->counters.problems++;
    if (s->scrub->problem)
        s->scrub->problem(s->scrub, path, 0, what);
}

static void check_object(struct scrubbing *s, const struct object_key *key)
{
    struct version version;
    char name[64], what[160];
    enum err err = lookup(s->store, key, STAMP_MAX, &version);
    if (!err && s->scrub->damaged && object_kind_is_shared(key->kind) &&
        damage_refers(&s->store->damage, &version))
        s->scrub->damaged(s->scrub, key);
    if (err == ERR_NOENT || (!err && places_known(s->store, &version)))
        return;
    snprintf(what, sizeof what, "the index entry of %s is %s",
             object_key_print(key, name, sizeof name),
             err ? "damaged" : "wrong: it refers to a place that does not exist");
    report_index(s, what);
}

static void verify_run(struct env_job *job)
{
    struct scrubbing *s = (struct scrubbing *)job;
    s->index_err = s->store->env->ops->index_verify(s->store->index, index_entry_sound);
}

/* What is damaged must not be walked. */
static void verify_done(struct env_job *job)
{
    struct scrubbing *s = (struct scrubbing *)job;
    s->verified = true;
    if (s->index_err == ERR_INDEX) {
        report_index(s, "the index is damaged; stop the volume and start it again: it makes the "
                        "index again from the log");
        finish(s, OK);
    } else if (s->index_err) {
        finish(s, s->index_err);
    } else {
        step(s);
    }
}

static bool check_index(struct scrubbing *s, enum err *err)
{
    const struct object_key last = {OBJECT_KIND_COUNT - 1, UINT64_MAX, UINT64_MAX};
    struct object_key keys[STEP_KEYS], key;
    struct walk walk;
    uint32_t n = 0;
    *err = walk_begin(&walk, s->store, s->at, last);
    while (!*err && n < STEP_KEYS && (*err = walk_next(&walk, &key)) == OK)
        keys[n++] = key;
    for (uint32_t i = 0; i < n; i++)
        check_object(s, &keys[i]);
    if (*err)
        return false;
    s->at = keys[n - 1];
    return object_key_next(&s->at);
}

static void index_step(struct env_timer *timer)
{
    struct scrubbing *s = (struct scrubbing *)((char *)timer - offsetof(struct scrubbing, timer));
    enum err err;
    if (!s->store->closing && check_index(s, &err)) {
        s->store->env->ops->timer_start(s->store->env, &s->timer, 0);
        return;
    }
    finish(s, s->store->closing ? ERR_BUSY : err == ERR_NOENT ? OK : err);
}

static void step(struct scrubbing *s)
{
    if (!s->store->closing && (s->open || next_segment(s))) {
        s->store->env->ops->submit(s->store->env, &s->job);
        return;
    }
    if (s->open)
        close_segment(s);
    if (!s->store->closing && !s->verified) {
        damage_found(s->store, &s->damage);
        s->job.run = verify_run;
        s->job.done = verify_done;
        s->store->env->ops->submit(s->store->env, &s->job);
        return;
    }
    s->store->env->ops->timer_start(s->store->env, &s->timer, 0);
}

void store_scrub(struct store *store, struct store_scrub *scrub)
{
    struct scrubbing *s = calloc(1, sizeof *s);
    INVARIANT(s != NULL);
    s->store = store;
    s->scrub = scrub;
    s->job.run = scrub_run;
    s->job.done = scrub_done;
    s->timer.fire = index_step;
    arena_init(&s->arena);
    s->numbers = calloc(store->segments.count + 1, sizeof *s->numbers);
    s->ends = calloc(store->segments.count + 1, sizeof *s->ends);
    INVARIANT(s->numbers && s->ends);
    scrub->bytes_done = scrub->bytes_total = scrub->records = scrub->problems = 0;
    for (uint32_t i = 0; i < store->segments.count; i++) {
        const struct segment *segment = store->segments.items[i];
        uint32_t end = segment->bytes;
        if (segment->state == SEGMENT_SPARE || segment->number > store->log.written.segment)
            continue;
        if (segment->number == store->log.written.segment)
            end = store->log.written.offset; /* the rest is not in the file yet */
        s->numbers[s->count] = segment->number;
        s->ends[s->count++] = end;
        scrub->bytes_total += end > SEGMENT_HEADER ? end - SEGMENT_HEADER : 0;
    }
    store->scrubs++;
    loose_add(store, &s->loose, drop);
    step(s);
}
