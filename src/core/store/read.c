/* SPDX-License-Identifier: MIT
 *
 * read.c: bytes of blocks, verified before anybody sees them.
 *
 * A read is cut into pieces, one for each run of chunks that lie together in the log. Bytes that
 * are still in memory are copied; the rest is read from the segment files, at once when the kernel
 * has it at hand, else in a job. Every chunk touched is read whole and checked against its
 * checksum.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

/* Chunks that stand together in the log and go together into memory. */
struct read_piece {
    struct segment *segment;
    struct env_file *file;
    struct place place;
    uint32_t len; /* bytes in the log */
    uint32_t chunks;
    uint8_t *buf;    /* len bytes: inside `into`, or bounce */
    uint8_t *bounce; /* NULL when the bytes go straight to where they belong */
    uint32_t skip;   /* bounce: bytes before those wanted */
    uint8_t *into;
    uint32_t want; /* bounce: bytes wanted (beyond len: zeros) */
    uint32_t sums[BLOCK_CHUNKS];
};

struct read_job {
    struct env_job job;
    struct store *store;
    struct store_read *read;
    struct loose loose;
    uint32_t count, room;
    struct read_piece *pieces;
    enum err err;
    struct place bad;
};

static struct read_piece *add_piece(struct read_job *job)
{
    if (job->count == job->room) {
        job->room = job->room ? job->room * 2 : 16;
        job->pieces = realloc(job->pieces, sizeof *job->pieces * job->room);
        INVARIANT(job->pieces != NULL);
    }
    struct read_piece *piece = &job->pieces[job->count++];
    *piece = (struct read_piece){0};
    return piece;
}

static void piece_release(struct read_piece *piece)
{
    if (piece->file)
        piece->segment->readers--;
    piece->file = NULL;
}

static void free_job(struct read_job *job)
{
    for (uint32_t i = 0; i < job->count; i++) {
        piece_release(&job->pieces[i]);
        free(job->pieces[i].bounce);
    }
    free(job->pieces);
    free(job);
}

static bool in_memory(const struct store *store, struct place place)
{
    return place_lsn(place) >= place_lsn(store->log.written);
}

/* True when the chunk goes on where the piece ends, in the log and in memory. */
static bool joins(const struct store *store, const struct read_piece *piece,
                  const struct chunk *chunk, const uint8_t *into)
{
    return piece && !piece->bounce && piece->chunks < BLOCK_CHUNKS &&
           piece->len % CHUNK_SIZE == 0 &&
           in_memory(store, piece->place) == in_memory(store, chunk->place) &&
           piece->place.segment == chunk->place.segment &&
           piece->place.offset + piece->len == chunk->place.offset &&
           piece->buf + piece->len == into;
}

/* One chunk of a range: `from` to `end` are the bytes of the chunk that are wanted. */
static void add_chunk(struct read_job *job, const struct chunk *chunk, uint32_t from, uint32_t end,
                      uint8_t *into)
{
    if (chunk->state != CHUNK_DATA || from >= chunk->len) {
        memset(into, 0, end - from);
        return;
    }
    bool straight = from == 0 && end >= chunk->len;
    struct read_piece *last = job->count ? &job->pieces[job->count - 1] : NULL;
    if (!straight || !joins(job->store, last, chunk, into)) {
        last = add_piece(job);
        last->place = chunk->place;
        last->buf = into;
    }
    last->sums[last->chunks++] = chunk->sum;
    last->len += chunk->len;
    if (straight) {
        memset(into + chunk->len, 0, end - chunk->len);
        return;
    }
    last->bounce = last->buf = malloc(CHUNK_SIZE);
    INVARIANT(last->bounce != NULL);
    last->skip = from;
    last->into = into;
    last->want = end - from;
}

static enum err plan_range(struct read_job *job, const struct store_range *range, struct stamp at)
{
    struct version version;
    INVARIANT(range->offset + range->length <= BLOCK_SIZE);
    enum err err = lookup(job->store, &range->block, at, &version);
    if (err == ERR_NOENT) {
        memset(range->into, 0, range->length);
        return OK;
    }
    if (err)
        return err;
    uint32_t end = range->offset + range->length;
    for (uint32_t i = range->offset / CHUNK_SIZE; i * CHUNK_SIZE < end; i++) {
        uint32_t base = i * CHUNK_SIZE;
        uint32_t from = range->offset > base ? range->offset - base : 0;
        uint32_t to = end - base < CHUNK_SIZE ? end - base : CHUNK_SIZE;
        add_chunk(job, &version.chunks[i], from, to, range->into + (base + from - range->offset));
    }
    return OK;
}

static void drop_job(struct loose *loose)
{
    free_job((struct read_job *)((char *)loose - offsetof(struct read_job, loose)));
}

/* Checks the chunks of a piece and hands them over. */
static enum err finish_piece(struct read_job *job, const struct read_piece *piece)
{
    for (uint32_t i = 0; i < piece->chunks; i++) {
        uint32_t offset = i * CHUNK_SIZE;
        uint32_t len = piece->len - offset < CHUNK_SIZE ? piece->len - offset : CHUNK_SIZE;
        if (checksum32(piece->buf + offset, len) == piece->sums[i])
            continue;
        job->bad = (struct place){piece->place.segment, piece->place.offset + offset};
        return ERR_CORRUPT;
    }
    if (!piece->bounce)
        return OK;
    uint32_t have = piece->len - piece->skip, n = have < piece->want ? have : piece->want;
    memcpy(piece->into, piece->bounce + piece->skip, n);
    memset(piece->into + n, 0, piece->want - n);
    return OK;
}

static void copy_from_memory(struct store *store, struct read_piece *piece)
{
    for (uint32_t done = 0; done < piece->len;) {
        uint32_t n = piece->len - done < CHUNK_SIZE ? piece->len - done : CHUNK_SIZE;
        struct place place = {piece->place.segment, piece->place.offset + done};
        const uint8_t *pending = log_pending_bytes(store, place, n);
        INVARIANT(pending != NULL);
        memcpy(piece->buf + done, pending, n);
        done += n;
    }
}

static void read_run(struct env_job *env_job)
{
    struct read_job *job = (struct read_job *)env_job;
    const struct env_ops *ops = job->store->env->ops;
    job->err = OK;
    for (uint32_t i = 0; i < job->count && !job->err; i++) {
        struct read_piece *piece = &job->pieces[i];
        size_t got = 0;
        if (piece->file)
            job->err =
                ops->file_read(piece->file, piece->place.offset, piece->buf, piece->len, &got);
        if (!job->err && piece->file && got < piece->len) {
            job->err = ERR_CORRUPT;
            job->bad = piece->place;
        }
        job->err = job->err ? job->err : finish_piece(job, piece);
    }
}

static void conclude(struct read_job *job)
{
    job->read->err = job->err;
    if (!job->err)
        return;
    if (job->err == ERR_CORRUPT)
        store_note_problem(job->store, "a chunk of file data does not match its checksum",
                           job->bad);
    for (uint32_t i = 0; i < job->read->count; i++)
        memset(job->read->ranges[i].into, 0, job->read->ranges[i].length);
}

static void read_done(struct env_job *env_job)
{
    struct read_job *job = (struct read_job *)env_job;
    struct store *store = job->store;
    struct store_read *read = job->read;
    conclude(job);
    loose_remove(&job->loose);
    free_job(job);
    store->reads--;
    read->done(read);
    store_settle(store);
}

/* Gets what is at hand: bytes in memory, and in files while the kernel need not wait. True when
 * that was all. */
static bool try_now(struct read_job *job)
{
    struct store *store = job->store;
    bool wait = false;
    for (uint32_t i = 0; i < job->count && !job->err; i++) {
        struct read_piece *piece = &job->pieces[i];
        if (in_memory(store, piece->place)) {
            copy_from_memory(store, piece);
            continue;
        }
        piece->segment = segments_find(&store->segments, piece->place.segment);
        INVARIANT(piece->segment != NULL);
        job->err = segment_open(store, piece->segment);
        if (job->err)
            break;
        piece->file = piece->segment->file;
        piece->segment->readers++;
        size_t got = 0;
        enum err err = wait ? ERR_AGAIN
                            : store->env->ops->file_read_now(piece->file, piece->place.offset,
                                                             piece->buf, piece->len, &got);
        if (err == ERR_AGAIN || (!err && got < piece->len))
            wait = true;
        else
            piece_release(piece);
        job->err = err == ERR_AGAIN ? OK : err;
    }
    for (uint32_t i = 0; i < job->count && !job->err && !wait; i++)
        job->err = finish_piece(job, &job->pieces[i]);
    return job->err || !wait;
}

bool store_read(struct store *store, struct store_read *read)
{
    struct read_job *job = calloc(1, sizeof *job);
    INVARIANT(job != NULL);
    job->store = store;
    job->read = read;
    if (!store_readable(store, read->at))
        job->err = ERR_SNAPSHOT_GONE;
    for (uint32_t i = 0; i < read->count && !job->err; i++)
        job->err = plan_range(job, &read->ranges[i], read->at);
    if (job->err || try_now(job)) {
        conclude(job);
        free_job(job);
        return true;
    }
    store->reads++;
    loose_add(store, &job->loose, drop_job);
    job->job.run = read_run;
    job->job.done = read_done;
    store->env->ops->submit(store->env, &job->job);
    return false;
}
