/* SPDX-License-Identifier: MIT
 *
 * read.c: bytes of blocks, verified before anybody sees them.
 *
 * A read is cut into pieces, one for each run of chunks that lie together in the log. Bytes that
 * are still in memory are copied; the rest is read from the segment files, at once when the kernel
 * has it at hand, else later: all those pieces together, while the loop goes on. When the last has
 * come, every chunk touched, which was read whole, is checked against its checksum.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define FIRST_PIECES 2u /* have their place in the job; most reads need no more */

struct read_job;

/* Chunks that stand together in the log and go together into memory. */
struct read_piece {
    struct env_read later;
    struct read_job *job;    /* while it is read later */
    struct segment *segment; /* while it is kept from being removed */
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
    struct store *store;
    struct store_read *read;
    struct loose loose;
    uint32_t count, room, waiting; /* waiting: pieces that are read later and have not come */
    enum err err;
    struct place bad;
    struct read_piece *pieces;
    struct read_piece first[FIRST_PIECES];
};

static struct read_job *new_job(struct store *store, struct store_read *read)
{
    struct read_job *job = malloc(sizeof *job);
    INVARIANT(job != NULL);
    job->store = store;
    job->read = read;
    job->count = job->waiting = 0;
    job->room = FIRST_PIECES;
    job->err = OK;
    job->pieces = job->first;
    return job;
}

static void make_room(struct read_job *job)
{
    uint32_t room = job->room * 8;
    struct read_piece *more = malloc(sizeof *more * room);
    INVARIANT(more != NULL);
    memcpy(more, job->pieces, sizeof *more * job->count);
    if (job->pieces != job->first)
        free(job->pieces);
    job->pieces = more;
    job->room = room;
}

/* Its checksums are not cleared: `chunks` says how many there are. */
static struct read_piece *add_piece(struct read_job *job, struct place place, uint8_t *buf)
{
    if (job->count == job->room)
        make_room(job);
    struct read_piece *piece = &job->pieces[job->count++];
    memset(piece, 0, offsetof(struct read_piece, sums));
    piece->place = place;
    piece->buf = buf;
    return piece;
}

static void piece_release(struct read_piece *piece)
{
    if (piece->segment)
        piece->segment->readers--;
    piece->segment = NULL;
}

static void free_job(struct read_job *job)
{
    for (uint32_t i = 0; i < job->count; i++) {
        piece_release(&job->pieces[i]);
        free(job->pieces[i].bounce);
    }
    if (job->pieces != job->first)
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
    if (!straight || !joins(job->store, last, chunk, into))
        last = add_piece(job, chunk->place, into);
    last->sums[last->chunks++] = chunk->sum;
    last->len += chunk->len;
    if (straight) {
        memset(into + chunk->len, 0, end - chunk->len);
        return;
    }
    MARK(read_part_of_chunk);
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
        if (checksum32(piece->buf + offset, len) == piece->sums[i] || MUTANT(read_unchecked))
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
    MARK(read_from_memory);
    for (uint32_t done = 0; done < piece->len;) {
        uint32_t n = piece->len - done < CHUNK_SIZE ? piece->len - done : CHUNK_SIZE;
        struct place place = {piece->place.segment, piece->place.offset + done};
        const uint8_t *pending = log_pending_bytes(store, place, n);
        INVARIANT(pending != NULL);
        memcpy(piece->buf + done, pending, n);
        done += n;
    }
}

static void finish_pieces(struct read_job *job)
{
    for (uint32_t i = 0; i < job->count && !job->err; i++)
        job->err = finish_piece(job, &job->pieces[i]);
}

static void conclude(struct read_job *job)
{
    job->read->err = job->err;
    if (!job->err)
        return;
    if (job->err == ERR_CORRUPT) {
        MARK(read_refused);
        store_note_problem(job->store, "a chunk of file data does not match its checksum",
                           job->bad);
    }
    for (uint32_t i = 0; i < job->read->count; i++)
        memset(job->read->ranges[i].into, 0, job->read->ranges[i].length);
}

/* The last piece has come. */
static void read_done(struct read_job *job)
{
    struct store *store = job->store;
    struct store_read *read = job->read;
    finish_pieces(job);
    conclude(job);
    loose_remove(&job->loose);
    free_job(job);
    store->reads--;
    read->done(read);
    store_settle(store);
}

static void piece_arrived(struct env_read *later)
{
    struct read_piece *piece = (struct read_piece *)(void *)later; /* its first member */
    struct read_job *job = piece->job;
    INVARIANT(job->waiting > 0);
    enum err err = later->err;
    if (!err && later->got < later->len) {
        err = ERR_CORRUPT; /* the file ends too early */
        job->bad = piece->place;
    }
    piece_release(piece);
    job->err = job->err ? job->err : err;
    if (--job->waiting == 0)
        read_done(job);
}

/* What of a piece in a file is at hand is read; for the rest, `later` is filled in. */
static enum err read_piece(struct read_job *job, struct read_piece *piece)
{
    struct store *store = job->store;
    struct segment *segment = segments_find(&store->segments, piece->place.segment);
    INVARIANT(segment != NULL);
    enum err err = segment_open(store, segment);
    if (err)
        return err;
    size_t got = 0;
    if (!job->waiting) /* after one that waits, the disk is asked for all */
        err = store->env->ops->file_read_now(segment->file, piece->place.offset, piece->buf,
                                             piece->len, &got);
    if (err && err != ERR_AGAIN)
        return err;
    if (got == piece->len)
        return OK;
    if (got > 0)
        MARK(read_partly_at_hand);
    piece->later = (struct env_read){.file = segment->file,
                                     .offset = piece->place.offset + got,
                                     .buf = piece->buf + got,
                                     .len = piece->len - got,
                                     .done = piece_arrived};
    piece->job = job;
    piece->segment = segment;
    segment->readers++;
    job->waiting++;
    return OK;
}

/* Gets what is at hand: bytes in memory, and in files while the kernel need not wait. */
static void try_now(struct read_job *job)
{
    for (uint32_t i = 0; i < job->count && !job->err; i++) {
        struct read_piece *piece = &job->pieces[i];
        if (in_memory(job->store, piece->place))
            copy_from_memory(job->store, piece);
        else
            job->err = read_piece(job, piece);
    }
    if (job->err)
        job->waiting = 0;
}

static void read_waiting(struct read_job *job)
{
    MARK(read_later);
    struct store *store = job->store;
    store->reads++;
    loose_add(store, &job->loose, drop_job);
    for (uint32_t i = 0; i < job->count; i++)
        if (job->pieces[i].job)
            store->env->ops->file_read_later(store->env, &job->pieces[i].later);
}

bool store_read(struct store *store, struct store_read *read)
{
    struct read_job *job = new_job(store, read);
    if (!store_readable(store, read->at))
        job->err = ERR_SNAPSHOT_GONE;
    for (uint32_t i = 0; i < read->count && !job->err; i++)
        job->err = plan_range(job, &read->ranges[i], read->at);
    if (!job->err)
        try_now(job);
    if (job->waiting) {
        read_waiting(job);
        return false;
    }
    finish_pieces(job);
    conclude(job);
    free_job(job);
    return true;
}
