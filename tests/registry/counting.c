/* SPDX-License-Identifier: MIT */
#include "counting.h"

#include <stdio.h>
#include <stdlib.h>

static void count_on(struct counting *n);
static void look(struct counting *n);

/* What is there is what was acknowledged, or one more when nobody knew. */
static void looked(struct registry_read *read)
{
    struct counting *n = read->ctx;
    if (read->err) {
        look(n);
        return;
    }
    unsigned there =
        read->count ? (unsigned)strtoul((const char *)read->items[0].value.data, NULL, 10) : 0;
    if (there != n->acknowledged && !(n->maybe && there == n->acknowledged + 1))
        fail_msg("%s is %u; acknowledged %u, maybe %d", n->key, there, n->acknowledged, n->maybe);
    n->happened += there != n->acknowledged;
    n->acknowledged = there;
    n->maybe = false;
    n->revision = read->count ? read->items[0].revision : 0;
    count_on(n);
}

static void look(struct counting *n)
{
    n->stopped = n->stop;
    if (n->stop)
        return;
    n->read = (struct registry_read){.key = n->key, .done = looked, .ctx = n};
    n->registry->ops->read(n->registry, &n->read);
}

static void acknowledge(struct counting *n)
{
    uint64_t now = uv_hrtime();
    if (now - n->last > n->longest)
        n->longest = now - n->last;
    n->last = now;
    if (n->measured < sizeof n->latencies / sizeof n->latencies[0])
        n->latencies[n->measured++] = now - n->begun;
    assert_true(n->change.revision > n->revision);
    n->revision = n->change.revision;
    n->acknowledged++;
    count_on(n);
}

static void changed(struct registry_change *change)
{
    struct counting *n = change->ctx;
    n->conflicts += change->err == ERR_CONFLICT;
    n->refused += change->err == ERR_REGISTRY;
    n->timeouts += change->err == ERR_TIMEOUT;
    n->maybe = change->err == ERR_TIMEOUT;
    if (change->err == OK)
        acknowledge(n);
    else
        look(n); /* after CONFLICT: the revision was of another backend */
}

static void count_on(struct counting *n)
{
    n->stopped = n->stop;
    if (n->stop)
        return;
    int len = snprintf(n->value, sizeof n->value, "%u", n->acknowledged + 1);
    n->begun = uv_hrtime();
    n->condition = (struct registry_condition){n->key, n->revision};
    n->write = (struct registry_write){n->key, {(const uint8_t *)n->value, (size_t)len + 1}, false};
    n->change = (struct registry_change){&n->condition, 1, &n->write, 1, changed, n, OK, 0, NULL};
    n->registry->ops->change(n->registry, &n->change);
}

struct counting *count_begin(struct world *w, struct registry *registry, const char *key)
{
    struct counting *n = calloc(1, sizeof *n);
    n->w = w;
    n->registry = registry;
    n->key = key;
    n->last = uv_hrtime();
    count_on(n);
    return n;
}

void count_end(struct counting *n)
{
    n->stop = true;
    wait_for(n->w, &n->stopped, 10);
    struct got got = get(n->w, n->registry, n->key);
    unsigned there = (unsigned)strtoul(got.value, NULL, 10);
    assert_int_equal(got.err, OK);
    assert_true(there == n->acknowledged || (n->maybe && there == n->acknowledged + 1));
    free(n);
}

void count_some(struct counting *n, unsigned more)
{
    unsigned want = n->acknowledged + more;
    uint64_t until = uv_hrtime() + UINT64_C(10000000000);
    while (n->acknowledged < want && uv_hrtime() < until)
        run_for(n->w, 5);
    if (n->acknowledged < want)
        fail_msg("%s stands still at %u", n->key, n->acknowledged);
}

void count_mark(struct counting *n)
{
    n->longest = 0;
    n->last = uv_hrtime();
    n->measured = 0;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void count_report(struct counting *n, const char *what)
{
    qsort(n->latencies, n->measured, sizeof n->latencies[0], by_size);
    if (n->measured)
        print_message("%s: %u changes, median %.2f ms, 99%% %.2f ms, longest pause %.0f ms\n", what,
                      n->measured, (double)n->latencies[n->measured / 2] / 1e6,
                      (double)n->latencies[n->measured * 99 / 100] / 1e6, (double)n->longest / 1e6);
}
