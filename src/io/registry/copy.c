/* SPDX-License-Identifier: MIT */
#include "io/registry/copy.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static bool printable(const char *text, size_t *length)
{
    for (*length = 0; text[*length]; ++*length)
        if (*length == REGISTRY_KEY_MAX || text[*length] <= ' ' || text[*length] > '~')
            return false;
    return true;
}

bool registry_key_sound(const char *key)
{
    size_t length;
    return printable(key, &length) && length > 0;
}

bool registry_prefix_sound(const char *prefix)
{
    size_t length;
    return printable(prefix, &length);
}

bool registry_key_begins(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

static bool written_before(const struct registry_change *change, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(change->writes[i].key, change->writes[at].key) == 0)
            return true;
    return false;
}

enum err registry_change_fits(const struct registry_change *change)
{
    size_t bytes = 0;
    if (change->condition_count > REGISTRY_CHANGES_MAX ||
        change->write_count > REGISTRY_CHANGES_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < change->condition_count; i++) {
        if (!registry_key_sound(change->conditions[i].key))
            return ERR_LIMIT;
        bytes += strlen(change->conditions[i].key);
    }
    for (size_t i = 0; i < change->write_count; i++) {
        const struct registry_write *write = &change->writes[i];
        if (!registry_key_sound(write->key) || written_before(change, i) ||
            write->value.len > REGISTRY_VALUE_MAX)
            return ERR_LIMIT;
        bytes += strlen(write->key) + write->value.len;
    }
    return bytes > REGISTRY_CHANGE_MAX ? ERR_LIMIT : OK;
}

static size_t size_of_copy(const struct registry_change *change)
{
    size_t size = sizeof *change + change->condition_count * sizeof *change->conditions +
                  change->write_count * sizeof *change->writes;
    for (size_t i = 0; i < change->condition_count; i++)
        size += strlen(change->conditions[i].key) + 1;
    for (size_t i = 0; i < change->write_count; i++)
        size += strlen(change->writes[i].key) + 1 + change->writes[i].value.len;
    return size + 1; /* so that an empty value at the end has an address of its own */
}

static const void *put_copy(uint8_t **at, const void *data, size_t len)
{
    void *copy = *at;
    if (len)
        memcpy(copy, data, len);
    *at += len;
    return copy;
}

struct registry_change *registry_change_copy(const struct registry_change *change)
{
    size_t size = size_of_copy(change);
    struct registry_change *copy = malloc(size);
    INVARIANT(copy != NULL);
    *copy = *change;
    struct registry_condition *conditions = (struct registry_condition *)(copy + 1);
    struct registry_write *writes = (struct registry_write *)(conditions + change->condition_count);
    uint8_t *at = (uint8_t *)(writes + change->write_count);
    for (size_t i = 0; i < change->condition_count; i++) {
        const char *key = change->conditions[i].key;
        conditions[i] = change->conditions[i];
        conditions[i].key = put_copy(&at, key, strlen(key) + 1);
    }
    for (size_t i = 0; i < change->write_count; i++) {
        const struct registry_write *write = &change->writes[i];
        writes[i] = *write;
        writes[i].key = put_copy(&at, write->key, strlen(write->key) + 1);
        if (write->value.data)
            writes[i].value.data = put_copy(&at, write->value.data, write->value.len);
    }
    INVARIANT(at < (uint8_t *)copy + size);
    copy->conditions = conditions;
    copy->writes = writes;
    return copy;
}
