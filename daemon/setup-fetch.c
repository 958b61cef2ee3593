/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/setup-fetch.h"

#include "base/file.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/program.h"

#define FILES_MAX 16

/* What update-db leaves, and whether it was there before. */
struct SetupFetch {
	size_t count;
	char *paths[FILES_MAX];
	bool there[FILES_MAX];
};

void setup_fetch_free(struct SetupFetch *fetch)
{
	if (!fetch)
		return;
	for (size_t i = 0; i < fetch->count; i++)
		free(fetch->paths[i]);
	free(fetch);
}

static int add(struct SetupFetch *fetch, const char *path, const char *suffix)
{
	_cleanup_strbuf_ StrBuf full = STRBUF_INIT;
	char *copy;

	strbuf_appendf(&full, "%s%s", path, suffix);
	copy = strbuf_take(&full);
	if (!copy)
		return -ENOMEM;
	fetch->there[fetch->count] = !access(copy, F_OK);
	fetch->paths[fetch->count++] = copy;
	return 0;
}

int setup_fetch_new(Setup *setup)
{
	const Config *config = setup->config;
	const struct {
		const char *path, *suffix;
	} files[] = {
		/* the directory comes first, and so is removed last */
		{config->paths.state_dir, "/db"},
		{config->paths.state_dir, "/db/fetched"},
		{config->paths.state_dir, "/db/ip.image"},
		{config->paths.state_dir, "/update-db.lock"},
		{config->geolocation.country_db_path, ""},
		{config->geolocation.country_db_path, ".prev"},
		{config->asn_aso.asn_db_path, ""},
		{config->asn_aso.asn_db_path, ".prev"},
	};
	struct SetupFetch *fetch = calloc(1, sizeof(*fetch));
	int r = fetch ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !r; i++)
		r = add(fetch, files[i].path, files[i].suffix);
	if (r) {
		setup_fetch_free(fetch);
		return r;
	}
	setup_fetch_free(setup->fetched);
	setup->fetched = fetch;
	return 0;
}

void setup_fetch_undo(void *userdata)
{
	const struct SetupFetch *fetch = ((const Setup *)userdata)->fetched;

	for (size_t i = fetch->count; i > 0; i--) {
		const char *path = fetch->paths[i - 1];

		if (!fetch->there[i - 1] && remove(path) < 0 && errno != ENOENT)
			log_error("%s: can't be taken back: %s", path, strerror(errno));
	}
}

/* Without a network the service will fetch them when there is one. */
int setup_fetch_apply(void *userdata, Why *ret_why)
{
	const Setup *setup = userdata;
	const char *const argv[] = {setup->program, "update-db", NULL};
	const ProgramOptions options = {.mask = &setup->before};
	int r = program_run(argv, &options);

	if (interrupt_is_pending()) {
		setup_fetch_undo(userdata);
		return -EINTR;
	}
	if (r < 0) {
		why_set(ret_why, "%s: %s", setup->program, strerror(-r));
		setup_fetch_undo(userdata);
	} else if (r) {
		why_set(ret_why, "the databases are missing for now; the service tries again by "
				 "itself, and so does 'maillogsentinel update-db'");
	}
	return r > 0 ? PLAN_GOES_ON : r;
}
