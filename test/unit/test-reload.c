/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/reload.h"

#include "daemon/log.h"
#include "scratch.h"
#include "tap.h"

#define STEPS 3

/* Which configuration each step has in force, by its tries, and what happens to it. */
typedef struct World {
	Config *config;
	Reload reload;
	Warnings *warnings;
	unsigned in_force[STEPS];
	int fails; /* this step; -1: none */
	int back_fails;
	StrBuf calls;
} World;

static int apply(World *world, int step, const Config *config, StrBuf *ret_why)
{
	strbuf_appendf(&world->calls, "%d:%u ", step, config->dns.tries);
	if (step == world->fails && config != world->config) {
		strbuf_appendf(ret_why, "step %d can't", step);
		return step ? 78 : -EIO;
	}
	if (step == world->back_fails && config == world->config) {
		strbuf_append_string(ret_why, "nor back");
		return 1;
	}
	world->in_force[step] = config->dns.tries;
	return 0;
}

static int apply_0(void *userdata, const Config *config, StrBuf *ret_why)
{
	return apply(userdata, 0, config, ret_why);
}

static int apply_1(void *userdata, const Config *config, StrBuf *ret_why)
{
	return apply(userdata, 1, config, ret_why);
}

static int apply_2(void *userdata, const Config *config, StrBuf *ret_why)
{
	return apply(userdata, 2, config, ret_why);
}

static const ReloadStep steps[STEPS] = {{"a", apply_0}, {"b", apply_1}, {"c", apply_2}};

static void configure(unsigned tries, const char *state_dir, const char *more)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb,
		"paths: { working_dir = \"%s\"; state_dir = \"%s/%s\"; mail_log = \"%s/log\"; };\n"
		"dns: { tries = %u; };\n%s",
		scratch_root, scratch_root, state_dir, scratch_root, tries, more);
	MUST(!strbuf_error(&sb));
	scratch_text("conf", sb.data);
}

static void reloads(World *world, bool good, const char *calls, const char *why, const char *what)
{
	uint64_t generation = world->reload.generation;
	Config *before = world->config;
	Status status = STATUS_INIT;
	const char *warning;
	int r;

	strbuf_reset(&world->calls);
	r = reload_read(&world->reload, world->config, world->warnings);
	if (!r)
		r = reload_apply(
			&world->reload, steps, STEPS, world, &world->config, world->warnings);
	reload_status(&world->reload, &status);
	warning = warnings_text(world->warnings, "reload");
	tap_ok(!r == good && (world->config != before) == good &&
			status.generation == generation + 1 && status.reloaded_us > 0,
		"%s: %s", what, good ? "done" : "refused");
	if (!tap_ok(!strcmp(strbuf_text(&world->calls), calls), "with these steps: %s", calls))
		tap_note("%s", strbuf_text(&world->calls));
	if (!tap_ok(good ? !status.reload_error && !warning
			 : strstr(status.reload_error, why) && strstr(warning, why),
		    "and it says why"))
		tap_note("%s; %s", status.reload_error, warning);
	for (int i = 0; i < STEPS; i++)
		if (i != world->back_fails && world->in_force[i] != world->config->dns.tries)
			tap_ok(false, "step %d has another configuration in force", i);
}

int main(void)
{
	LogOptions log = {.level = LOG_LEVEL_INFO, .file = "own", .file_max_bytes = 1 << 20};
	World world = {.in_force = {1, 1, 1}, .fails = -1, .back_fails = -1};
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT, said = STRBUF_INIT;

	scratch_enter();
	MUST(!mkdir("state", 0755) && !mkdir("other", 0755));
	MUST(!log_configure(&log) && !warnings_new(&world.warnings));
	configure(1, "state", "");
	MUST(!config_load("conf", &world.config, &errors));
	reload_init(&world.reload, "conf");

	reloads(&world, true, "0:1 1:1 2:1 ", NULL, "the same again");
	configure(2, "state", "");
	reloads(&world, true, "0:2 1:2 2:2 ", NULL, "another one");
	configure(3, "state", "");
	world.fails = 0;
	reloads(&world, false, "0:3 ", "step 0 can't", "the first step fails");
	world.fails = 1;
	reloads(&world, false, "0:3 1:3 0:2 ", "step 1 can't", "the second");
	world.fails = 2;
	reloads(&world, false, "0:3 1:3 2:3 1:2 0:2 ", "step 2 can't", "the last");
	world.back_fails = 0;
	reloads(&world, false, "0:3 1:3 2:3 1:2 0:2 ", "step 2 can't", "and there is no way back");
	said = scratch_read("own");
	tap_ok(strstr(said.data, "a: can't go back to the configuration of before: nor back"),
		"which is said");
	world.fails = world.back_fails = -1;
	world.in_force[0] = 2;
	configure(4, "other", "");
	reloads(&world, false, "", "conf:1: paths.state_dir: a reload can't change it from",
		"state_dir");
	configure(4, "state", "dns: {};\n");
	reloads(&world, false, "", "conf:3: dns: stands in line 2 already", "a mistake");
	configure(99, "nowhere", "");
	reloads(&world, false, "", "conf:2: dns.tries: wants a number from 1 to 8", "two mistakes");
	MUST(!unlink("conf"));
	reloads(&world, false, "", "conf: No such file or directory", "no file");
	configure(4, "state", "");
	reloads(&world, true, "0:4 1:4 2:4 ", NULL, "a good one ends it");
	/* Broken off between the two. */
	MUST(!reload_read(&world.reload, world.config, world.warnings));

	strbuf_done(&world.calls);
	reload_done(&world.reload);
	config_free(world.config);
	warnings_free(world.warnings);
	log_close();
	return tap_done();
}
