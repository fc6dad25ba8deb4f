/* SPDX-License-Identifier: MIT
 *
 * tree_model.c: a tree of files as the checkers know it: POSIX without permissions and times, on
 * inodes and directories by number. Written apart from core/fs, so that it can judge it.
 *
 * Definitions
 *   state    a map in canonical form: a binary trie (Patricia) over 64-bit keys whose nodes are
 *            interned, so equal maps have equal roots. Key (inode, 0) leads to the inode's record;
 *            key (directory, name) to the inode of that name
 *   record   kind; links (of a directory: 2 and one for each directory in it); for a file what it
 *            holds, for a directory its parent. An inode whose last name went keeps its record with
 *            0 links, until its number is given to a new one
 *
 * Law
 *   T1  Where POSIX leaves open which of several faults is reported, each that applies is right.
 *   T2  A file without names may still be there for those who hold it open, or be gone: get, put
 *       and links may succeed or be answered with STALE or NOENT.
 *   T3  A directory without a name is empty for ever: nothing is made in it.
 *   T4  A directory's links may also be told as 1, as some file systems do.
 */
#include "core/base/assert.h"
#include "core/check/search/models.h"

enum kind { KIND_FILE = 1, KIND_DIR = 2 };

struct record {
    uint32_t kind, links;
    uint32_t content; /* of a file: a value; of a directory: its parent */
};

/* A reference to a node: twice its number, and 1 for a leaf. */
#define EMPTY          STATE_NONE
#define IS_LEAF(ref)   ((ref)&1u)
#define NODE(ref)      ((ref) >> 1)
#define KEY(dir, name) ((uint64_t)(dir) << 32 | (name))

/* --- the map --- */

static const struct intern_thing *leaf_at(const struct tree_states *t, uint32_t ref)
{
    return &t->leaves.things[NODE(ref)];
}

static uint32_t leaf(struct tree_states *t, uint64_t key, uint64_t value)
{
    return intern(&t->leaves, key, value, NULL) << 1 | 1;
}

static uint32_t branch(struct tree_states *t, unsigned bit, uint32_t zero, uint32_t one)
{
    return intern(&t->branches, (uint64_t)zero << 32 | one, bit, NULL) << 1;
}

static unsigned bit_of(const struct tree_states *t, uint32_t ref)
{
    return (unsigned)t->branches.things[NODE(ref)].b;
}

static uint32_t child(const struct tree_states *t, uint32_t ref, bool one)
{
    uint64_t children = t->branches.things[NODE(ref)].a;
    return one ? (uint32_t)children : (uint32_t)(children >> 32);
}

/* The leaf that `key` would be next to. */
static uint32_t nearest(const struct tree_states *t, uint32_t ref, uint64_t key)
{
    while (!IS_LEAF(ref))
        ref = child(t, ref, key >> bit_of(t, ref) & 1);
    return ref;
}

static bool map_get(const struct tree_states *t, uint32_t map, uint64_t key, uint64_t *value)
{
    const struct intern_thing *found = leaf_at(t, nearest(t, map, key));
    *value = found->b;
    return found->a == key;
}

/* Puts `fresh`, a leaf with `key`, where keys first differ at `bit` (64: an equal key is there). */
static uint32_t put_below(struct tree_states *t, uint32_t ref, uint32_t fresh, unsigned bit)
{
    uint64_t key = leaf_at(t, fresh)->a;
    if (bit == 64 && IS_LEAF(ref))
        return fresh;
    if (bit != 64 && (IS_LEAF(ref) || bit_of(t, ref) < bit))
        return key >> bit & 1 ? branch(t, bit, ref, fresh) : branch(t, bit, fresh, ref);
    unsigned at = bit_of(t, ref);
    uint32_t zero = child(t, ref, false), one = child(t, ref, true);
    if (key >> at & 1)
        one = put_below(t, one, fresh, bit);
    else
        zero = put_below(t, zero, fresh, bit);
    return branch(t, at, zero, one);
}

static uint32_t map_put(struct tree_states *t, uint32_t map, uint64_t key, uint64_t value)
{
    uint64_t differs = leaf_at(t, nearest(t, map, key))->a ^ key;
    unsigned bit = differs ? 63u - (unsigned)__builtin_clzll(differs) : 64;
    return put_below(t, map, leaf(t, key, value), bit);
}

/* The map without `key`, which is in it; EMPTY when nothing is left. */
static uint32_t map_remove(struct tree_states *t, uint32_t ref, uint64_t key)
{
    if (IS_LEAF(ref))
        return EMPTY;
    unsigned at = bit_of(t, ref);
    uint32_t zero = child(t, ref, false), one = child(t, ref, true);
    bool right = key >> at & 1;
    uint32_t left_over = map_remove(t, right ? one : zero, key);
    if (left_over == EMPTY)
        return right ? zero : one;
    return right ? branch(t, at, zero, left_over) : branch(t, at, left_over, one);
}

/* All that has a directory's number in its keys: its record and its names. It has a record. */
static uint32_t part_of(const struct tree_states *t, uint32_t map, uint32_t dir)
{
    while (!IS_LEAF(map) && bit_of(t, map) >= 32)
        map = child(t, map, KEY(dir, 0) >> bit_of(t, map) & 1);
    return map;
}

/* --- records and names --- */

/* A view of one state; `next` becomes the state after the act. */
struct look {
    struct tree_states *t;
    uint32_t state, next;
    uint64_t faults; /* those that may be answered, as bits */
};

#define BIT(fault) (UINT64_C(1) << (fault))
#define GONE       (BIT(ERR_NOENT) | BIT(ERR_STALE))
#define NOT_EMPTY  (BIT(ERR_NOTEMPTY) | BIT(ERR_EXIST))
#define IN_ITSELF  (BIT(ERR_INVAL) | BIT(ERR_LOOP))

STATIC_ASSERT(ERR_COUNT <= 64, "faults are bits");

static bool record_get(const struct look *l, uint32_t inode, struct record *out)
{
    uint64_t word;
    bool there = map_get(l->t, l->state, KEY(inode, 0), &word);
    if (!there)
        word = 0;
    *out = (struct record){word & 3, (uint32_t)(word >> 2) & 0x3fffffff, (uint32_t)(word >> 32)};
    return there;
}

static void record_put(struct look *l, uint32_t inode, const struct record *r)
{
    uint64_t word = r->kind | (uint64_t)r->links << 2 | (uint64_t)r->content << 32;
    l->next = map_put(l->t, l->next, KEY(inode, 0), word);
}

/* The inode behind a name, or VALUE_NONE. */
static uint32_t name_get(const struct look *l, uint32_t dir, uint32_t name)
{
    uint64_t inode;
    return map_get(l->t, l->state, KEY(dir, name), &inode) ? (uint32_t)inode : VALUE_NONE;
}

static void name_put(struct look *l, uint32_t dir, uint32_t name, uint32_t inode)
{
    l->next = map_put(l->t, l->next, KEY(dir, name), inode);
}

static bool dir_empty(const struct look *l, uint32_t dir)
{
    return IS_LEAF(part_of(l->t, l->state, dir));
}

/* Changes the links of what is in `next`, which may differ from `state` already. */
static void add_links(struct look *l, uint32_t inode, int32_t by)
{
    struct look now = {.t = l->t, .state = l->next};
    struct record r;
    record_get(&now, inode, &r);
    r.links = (uint32_t)((int32_t)r.links + by);
    record_put(l, inode, &r);
}

/* Whether `dir` is a directory that has a name (or is the root); adds the faults when it is not. */
static bool usable_dir(struct look *l, uint32_t dir)
{
    struct record r;
    if (!record_get(l, dir, &r) || !r.links)
        l->faults |= GONE;
    if (r.kind == KIND_FILE)
        l->faults |= BIT(ERR_NOTDIR);
    return r.kind == KIND_DIR && r.links;
}

static bool is_dir(const struct look *l, uint32_t inode)
{
    struct record r;
    return inode != VALUE_NONE && record_get(l, inode, &r) && r.kind == KIND_DIR;
}

/* Takes away one name of an inode: the name itself is gone or replaced already. */
static void drop_inode(struct look *l, uint32_t inode)
{
    if (is_dir(l, inode)) {
        struct record r = {.kind = KIND_DIR};
        record_put(l, inode, &r);
    } else {
        add_links(l, inode, -1);
    }
}

/* --- acts that change names --- */

static bool make(struct look *l, const struct model_act *act)
{
    uint32_t dir = act->args[0], name = act->args[1], inode = act->args[2];
    struct record old;
    if (usable_dir(l, dir) && name_get(l, dir, name) != VALUE_NONE)
        l->faults |= BIT(ERR_EXIST);
    /* A number that is in use is not given to a new inode. */
    if (l->faults || (record_get(l, inode, &old) && old.links))
        return false;
    struct record r = {.kind = KIND_FILE, .links = 1, .content = VALUE_NONE};
    if (act->code == ACT_MKDIR) {
        r = (struct record){.kind = KIND_DIR, .links = 2, .content = dir};
        add_links(l, dir, 1);
    }
    record_put(l, inode, &r);
    name_put(l, dir, name, inode);
    return true;
}

static bool link_to(struct look *l, const struct model_act *act)
{
    uint32_t inode = act->args[0], dir = act->args[1], name = act->args[2];
    struct record r;
    if (!record_get(l, inode, &r) || !r.links)
        l->faults |= GONE;
    if (r.kind == KIND_DIR)
        l->faults |= BIT(ERR_PERM) | BIT(ERR_ISDIR);
    if (usable_dir(l, dir) && name_get(l, dir, name) != VALUE_NONE)
        l->faults |= BIT(ERR_EXIST);
    if (l->faults)
        return false;
    add_links(l, inode, 1);
    name_put(l, dir, name, inode);
    return true;
}

static bool take_away(struct look *l, const struct model_act *act)
{
    uint32_t dir = act->args[0], name = act->args[1];
    bool usable = usable_dir(l, dir);
    uint32_t inode = usable ? name_get(l, dir, name) : VALUE_NONE;
    bool directory = is_dir(l, inode);
    if (usable && inode == VALUE_NONE)
        l->faults |= BIT(ERR_NOENT);
    if (act->code == ACT_UNLINK && directory)
        l->faults |= BIT(ERR_ISDIR) | BIT(ERR_PERM);
    if (act->code == ACT_RMDIR && inode != VALUE_NONE && !directory)
        l->faults |= BIT(ERR_NOTDIR);
    if (act->code == ACT_RMDIR && directory && !dir_empty(l, inode))
        l->faults |= NOT_EMPTY;
    if (l->faults)
        return false;
    l->next = map_remove(l->t, l->next, KEY(dir, name));
    if (directory)
        add_links(l, dir, -1);
    drop_inode(l, inode);
    return true;
}

/* --- rename --- */

struct moving {
    uint32_t dir, name, dir2, name2;
    uint32_t inode, other; /* behind the names, or VALUE_NONE */
    bool exchange, only_new;
};

/* Whether `dir` is `above` or lies below it. */
static bool lies_in(const struct look *l, uint32_t dir, uint32_t above)
{
    struct record r;
    while (dir != above && dir != l->t->root && record_get(l, dir, &r) && r.kind == KIND_DIR)
        dir = r.content;
    return dir == above;
}

static void check_types(struct look *l, const struct moving *m)
{
    bool from_dir = is_dir(l, m->inode), to_dir = is_dir(l, m->other);
    if (from_dir && lies_in(l, m->dir2, m->inode))
        l->faults |= IN_ITSELF;
    if (m->exchange) {
        if (to_dir && lies_in(l, m->dir, m->other))
            l->faults |= IN_ITSELF;
        return;
    }
    if (m->other == VALUE_NONE)
        return;
    if (from_dir && !to_dir)
        l->faults |= BIT(ERR_NOTDIR);
    if (!from_dir && to_dir)
        l->faults |= BIT(ERR_ISDIR);
    if (to_dir && !dir_empty(l, m->other))
        l->faults |= NOT_EMPTY;
}

static void open_names(struct look *l, struct moving *m)
{
    bool from = usable_dir(l, m->dir), to = usable_dir(l, m->dir2);
    m->inode = from ? name_get(l, m->dir, m->name) : VALUE_NONE;
    m->other = to ? name_get(l, m->dir2, m->name2) : VALUE_NONE;
    if (from && m->inode == VALUE_NONE)
        l->faults |= BIT(ERR_NOENT);
    if (to && m->exchange && m->other == VALUE_NONE)
        l->faults |= BIT(ERR_NOENT);
    if (m->only_new && m->other != VALUE_NONE)
        l->faults |= BIT(ERR_EXIST);
    if (m->inode != VALUE_NONE && m->inode != m->other && to)
        check_types(l, m);
}

/* A directory comes under another parent, or leaves one for nothing (`to` VALUE_NONE). */
static void reparent(struct look *l, uint32_t inode, uint32_t from, uint32_t to)
{
    if (!is_dir(l, inode) || from == to)
        return;
    add_links(l, from, -1);
    if (to == VALUE_NONE)
        return;
    add_links(l, to, 1);
    struct look now = {.t = l->t, .state = l->next};
    struct record r;
    record_get(&now, inode, &r);
    r.content = to;
    record_put(l, inode, &r);
}

static bool rename_to(struct look *l, const struct model_act *act)
{
    const char *how = act->word;
    struct moving m = {
        .dir = act->args[0],
        .name = act->args[1],
        .dir2 = act->args[2],
        .name2 = act->args[3],
        .exchange = how[0] == 'e',
        .only_new = how[0] == 'n' && how[1] == 'e',
    };
    open_names(l, &m);
    if (l->faults)
        return false;
    if (m.inode == m.other)
        return true; /* two names of one file: POSIX says that nothing happens */
    name_put(l, m.dir2, m.name2, m.inode);
    if (m.exchange) {
        name_put(l, m.dir, m.name, m.other);
        reparent(l, m.other, m.dir2, m.dir);
    } else {
        l->next = map_remove(l->t, l->next, KEY(m.dir, m.name));
        if (m.other != VALUE_NONE) {
            reparent(l, m.other, m.dir2, VALUE_NONE);
            drop_inode(l, m.other);
        }
    }
    reparent(l, m.inode, m.dir, m.dir2);
    return true;
}

/* --- acts on one inode --- */

/* Whether the names in a directory are those of the answer; both are in order. */
static bool names_match(const struct tree_states *t, uint32_t part, const struct model_act *act,
                        uint32_t *at)
{
    if (!IS_LEAF(part))
        return names_match(t, child(t, part, false), act, at) &&
               names_match(t, child(t, part, true), act, at);
    const struct intern_thing *found = leaf_at(t, part);
    uint32_t name = (uint32_t)found->a;
    if (name == VALUE_NONE)
        return true; /* the directory's record */
    if (*at == act->count)
        return false;
    const uint32_t *told = act->list + (size_t)2 * (*at)++;
    return told[0] == name && told[1] == (uint32_t)found->b;
}

static bool list_names(struct look *l, const struct model_act *act)
{
    struct record r;
    uint32_t at = 0;
    if (!usable_dir(l, act->args[0])) {
        record_get(l, act->args[0], &r);
        return r.kind == KIND_DIR && act->count == 0; /* T3 */
    }
    return names_match(l->t, part_of(l->t, l->state, act->args[0]), act, &at) && at == act->count;
}

static bool lookup_name(struct look *l, const struct model_act *act)
{
    if (!usable_dir(l, act->args[0]))
        return false;
    uint32_t inode = name_get(l, act->args[0], act->args[1]);
    if (inode == VALUE_NONE)
        l->faults |= BIT(ERR_NOENT);
    return inode != VALUE_NONE && inode == act->value;
}

static bool use_inode(struct look *l, const struct model_act *act)
{
    struct record r;
    bool known = record_get(l, act->args[0], &r);
    bool directory = r.kind == KIND_DIR;
    if (!known || !r.links)
        l->faults |= GONE; /* T2 */
    if (directory && act->code != ACT_LINKS)
        l->faults |= BIT(ERR_ISDIR);
    if (!known || (directory && act->code != ACT_LINKS))
        return false;
    if (act->code == ACT_GET)
        return r.content == act->value;
    if (act->code == ACT_LINKS)
        return act->amount == (int64_t)r.links || (directory && act->amount == 1); /* T4 */
    r.content = act->args[1];
    record_put(l, act->args[0], &r);
    return true;
}

/* --- the model --- */

void tree_init(struct tree_states *tree, uint32_t root)
{
    *tree = (struct tree_states){.root = root};
}

void tree_free(struct tree_states *tree)
{
    intern_free(&tree->leaves);
    intern_free(&tree->branches);
}

uint32_t tree_initial(struct tree_states *tree)
{
    uint64_t record = KIND_DIR | UINT64_C(2) << 2 | (uint64_t)tree->root << 32;
    return leaf(tree, KEY(tree->root, 0), record);
}

bool tree_speaks(enum err fault)
{
    return (GONE | NOT_EMPTY | IN_ITSELF | BIT(ERR_NOTDIR) | BIT(ERR_ISDIR) | BIT(ERR_PERM)) >>
               fault &
           1;
}

static bool try_act(struct look *l, const struct model_act *act)
{
    switch (act->code) {
    case ACT_MKDIR:
    case ACT_CREATE:
        return make(l, act);
    case ACT_LINK:
        return link_to(l, act);
    case ACT_UNLINK:
    case ACT_RMDIR:
        return take_away(l, act);
    case ACT_RENAME:
        return rename_to(l, act);
    case ACT_LIST:
        return list_names(l, act);
    case ACT_LOOKUP:
        return lookup_name(l, act);
    default:
        return use_inode(l, act);
    }
}

uint32_t tree_step(struct models *models, const struct model_act *act, uint32_t state)
{
    struct look l = {.t = &models->tree, .state = state, .next = state};
    bool done = try_act(&l, act);
    if (!act->checked)
        return done ? l.next : state;
    if (act->fault)
        return l.faults >> act->fault & 1 ? state : STATE_NONE;
    return done ? l.next : STATE_NONE;
}
