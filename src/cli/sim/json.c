/* SPDX-License-Identifier: MIT
 *
 * json.c: what was run and what broke, for programs.
 */
#include "cli/sim/sim.h"

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static void put(json_t *json, const char *key, json_t *value)
{
    json_object_set_new(json, key, value);
}

/* Texts hold what a dying process said: bytes that are not UTF-8 are left out. */
static json_t *text_json(const char *text)
{
    json_t *json = json_string(text);
    return json ? json : json_string("(not text)");
}

static json_t *faults_json(const struct sums *sums)
{
    json_t *json = json_object();
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        if (sums->faults[i])
            put(json, fault_word((enum fault_kind)i), number(sums->faults[i]));
    return json;
}

static void put_sums(json_t *json, const struct sums *sums)
{
    put(json, "seeds", number(sums->seeds));
    put(json, "simulated_ns", number(sums->simulated_ns));
    put(json, "cpu_ns", number(sums->cpu_ns));
    put(json, "transactions", number(sums->transactions));
    put(json, "unknown", number(sums->unknown));
    put(json, "undecided", number(sums->undecided));
}

static json_t *task_json(const struct task *task)
{
    char trace[20];
    json_t *json = json_object();
    snprintf(trace, sizeof trace, "%016llx", (unsigned long long)task->sums.trace);
    put(json, "scenario", text_json(task->word));
    put_sums(json, &task->sums);
    put(json, "trace", json_string(trace));
    put(json, "faults", faults_json(&task->sums));
    put(json, "failures", number(task->failures));
    put(json, "first_failure", task->failure ? number(task->failure->seed) : json_null());
    put(json, "expect", json_string(task->asked.expect_broken ? "broken" : "holds"));
    put(json, "good", json_boolean(!task_bad(task)));
    return json;
}

json_t *json_tasks(const struct tasks *tasks, uint64_t took_ns)
{
    json_t *json = json_object(), *all = json_array();
    struct sums sums = {0};
    for (unsigned i = 0; i < tasks->count; i++) {
        const struct sums *s = &tasks->at[i].sums;
        json_array_append_new(all, task_json(&tasks->at[i]));
        sums.seeds += s->seeds;
        sums.simulated_ns += s->simulated_ns;
        sums.cpu_ns += s->cpu_ns;
        sums.transactions += s->transactions;
        sums.unknown += s->unknown;
        sums.undecided += s->undecided;
    }
    put_sums(json, &sums);
    put(json, "real_ns", number(took_ns));
    put(json, "scenarios", all);
    put(json, "marks", marks_json());
    return json;
}

static void set_json(void *ctx, const char *key, const char *value)
{
    put(ctx, key, text_json(value));
}

json_t *json_failure(const struct task *task, const struct sim_options *options,
                     const struct minimised *run, const struct job_done *watched)
{
    json_t *json = json_object(), *set = json_object();
    struct text command = {0};
    put(json, "scenario", text_json(task->word));
    put(json, "seed", number(task->failure->seed));
    put(json, "promise", text_json(task->failure->promise));
    put(json, "text", text_json(task->failure->text));
    replay_command(task, options, run, &command);
    scenario_differences(&task->file, &run->scenario, set_json, set);
    put(json, "replay", text_json(text_string(&command)));
    put(json, "replay_seed", number(run->failure.seed));
    put(json, "set", set);
    put(json, "shrink_tried", number(run->tried));
    put(json, "shrink_taken", number(run->taken));
    if (watched)
        put(json, "transcript", text_json(text_string(&watched->transcript)));
    text_free(&command);
    return json;
}
