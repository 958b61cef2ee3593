/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/setup.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "build-config.h"
#include "daemon/command.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/owner.h"
#include "daemon/place.h"
#include "daemon/program.h"
#include "daemon/setup-fetch.h"
#include "daemon/trial.h"
#include "daemon/unit.h"
#include "state/status.h"
#include "store/sql.h"

#define UNIT_FILE_MAX ((size_t)1 << 20)
#define SETTLE_S 30 /* how long a first report waits for what is in the log already */

void setup_done(Setup *setup)
{
	free(setup->program);
	setup_fetch_free(setup->fetched);
	*setup = SETUP_INIT;
}

/* ---- user, directories, configuration ------------------------------------------------------- */

static int add_directory(Plan *plan, const char *path, mode_t mode)
{
	return plan_add_directory(plan, path, OWNER_SERVICE, mode, place_is_own(path));
}

static int add_parent(Plan *plan, const char *path, mode_t mode)
{
	_cleanup_free_ char *parent = file_parent_dup(path);

	if (!parent)
		return -ENOMEM;
	/* A step is made of what is there now: what lies in a directory of this plan is made by the program. */
	return access(parent, F_OK) < 0 ? add_directory(plan, parent, mode) : 0;
}

static bool is_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && path[len] == '/';
}

static int add_directories(const Config *config, Plan *plan)
{
	const char *log = config->general.log_file;
	const char *databases[] = {
		config->geolocation.country_db_path, config->asn_aso.asn_db_path};
	char **urls[] = {config->geolocation.country_db_url, config->asn_aso.asn_db_url};
	int r = add_directory(plan, config->paths.state_dir, 0755);

	if (!r && strcmp(config->paths.working_dir, config->paths.state_dir) != 0)
		r = add_directory(plan, config->paths.working_dir, 0750);
	if (!r && *log && !is_in(log, config->paths.working_dir))
		r = add_parent(plan, log, 0750);
	for (size_t i = 0; i < ARRAY_SIZE(databases) && !r; i++)
		if (urls[i][0] && !is_in(databases[i], config->paths.state_dir))
			r = add_parent(plan, databases[i], 0755);
	if (!r && !is_in(config->database.sql_export_dir, config->paths.state_dir))
		r = add_directory(plan, config->database.sql_export_dir, 0700);
	if (!r && config->database.db_type == SQL_SQLITE &&
		!is_in(config->database.db_path, config->paths.state_dir))
		r = add_parent(plan, config->database.db_path, 0750);
	return r;
}

/* "": there is none. */
static int add_password(Plan *plan, const char *option, const char *path, Why *ret_why)
{
	int r = *path ? plan_add_group_right(plan, path, OWNER_SERVICE) : 0;

	if (r == -ELOOP)
		why_set(ret_why, "%s: %s is a link; name the file itself", option, path);
	return r;
}

static int check_config(const void *subject, StrBuf *ret_text)
{
	_cleanup_strbuf_ StrBuf notes = STRBUF_INIT;

	return config_check_paths(subject, ret_text, &notes);
}

/* All is there: what check-config says now, the service will say. */
static int apply_check(void *userdata, Why *ret_why)
{
	const Setup *setup = userdata;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = trial_run(check_config, setup->config, &errors);

	if (errors.len) {
		command_log_mistakes(&errors);
		why_set(ret_why, "the user %s can't work with this configuration", OWNER_SERVICE);
	}
	return r;
}

/* ---- the service ---------------------------------------------------------------------------- */

static bool systemctl(const char *verb)
{
	const char *const argv[] = {"systemctl", verb, "-q", UNIT_NAME, NULL};

	return program_run(argv, &(ProgramOptions){.quiet = true}) == 0;
}

static int add_unit(const Setup *setup, Plan *plan, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf unit = STRBUF_INIT, now = STRBUF_INIT;
	int r = file_read(UNIT_PATH, UNIT_FILE_MAX, &now);
	const char *hidden;

	/* A person's own one is left alone. */
	if (!r && !unit_is_ours((Span){strbuf_text(&now), now.len}))
		return 0;
	if (unit_is_packaged())
		return r ? 0 : plan_add_removal(plan, UNIT_PATH);
	hidden = unit_hides(setup->program);
	if (hidden) {
		why_set(ret_why,
			"%s: %s; install the program first, with 'meson install' or a package",
			setup->program, hidden);
		return -EINVAL;
	}
	unit_append(setup->program, &unit);
	r = strbuf_error(&unit);
	return r ? r : plan_add_file(plan, UNIT_PATH, (Span){unit.data, unit.len}, 0644, NULL);
}

/* In the directory of the service's unit, and of those of the timers, where they are installed. */
static int add_drop_in(const Setup *setup, Plan *plan, const char *path, bool wanted, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, now = STRBUF_INIT;
	bool there = !file_read(path, UNIT_FILE_MAX, &now);
	int r = wanted ? unit_append_drop_in(setup->config, &text, ret_why) : 0;

	if (r < 0)
		return r;
	if (text.len)
		return plan_add_file(plan, path, (Span){text.data, text.len}, 0644, NULL);
	return there && unit_is_ours((Span){strbuf_text(&now), now.len})
		       ? plan_add_removal(plan, path)
		       : 0;
}

static int add_service(Setup *setup, Plan *plan, bool changed, Why *ret_why)
{
	static const char *const reload[] = {"systemctl", "daemon-reload", NULL};
	static const char *const enable[] = {"systemctl", "enable", "-q", UNIT_NAME, NULL};
	static const char *const disable[] = {"systemctl", "disable", "-q", UNIT_NAME, NULL};
	static const char *const start[] = {"systemctl", "start", UNIT_NAME, NULL};
	static const char *const restart[] = {"systemctl", "restart", UNIT_NAME, NULL};
	size_t before = plan_count(plan);
	bool units_change, active = systemctl("is-active");
	/* Taken back last: systemd then reads the units as they were. */
	int r = plan_add_command(plan, NULL, NULL, reload);

	if (!r)
		r = add_unit(setup, plan, ret_why);
	if (!r)
		r = add_drop_in(setup, plan, UNIT_DROP_IN_PATH, true, ret_why);
	if (!r)
		r = add_drop_in(setup, plan, UNIT_JOBS_DROP_IN_PATH, unit_is_packaged(), ret_why);
	units_change = plan_count(plan) != before;
	if (!r && units_change)
		r = plan_add_command(plan, "let systemd read its units anew", reload, NULL);
	if (!r && !systemctl("is-enabled"))
		r = plan_add_command(plan, "enable " UNIT_NAME, enable, disable);
	plan_add_end(plan);
	if (!r && !active)
		r = plan_add_command(plan, "start " UNIT_NAME, start, NULL);
	else if (!r && (changed || units_change))
		r = plan_add_command(plan, "restart " UNIT_NAME, restart, NULL);
	return r;
}

/* ---- the first report ----------------------------------------------------------------------- */

/* Whether the service has nothing more to do with what was in the log. */
static bool is_settled(const char *path, uint64_t *rows)
{
	_cleanup_status_ Status status = STATUS_INIT;
	bool running, settled;
	Why why;

	if (status_read(path, &status, &running, &why) < 0)
		return false;
	settled = running && !status.waiting && status.rows == *rows;
	*rows = status.rows;
	return settled;
}

static int apply_report(void *userdata, Why *ret_why)
{
	const Setup *setup = userdata;
	const char *const argv[] = {setup->program, "report", "--send", NULL};
	const ProgramOptions options = {.mask = &setup->before};
	_cleanup_free_ char *status = file_join_dup(setup->config->paths.state_dir, "status");
	uint64_t rows = UINT64_MAX;
	int r;

	if (!status)
		return -ENOMEM;
	for (int i = 0; i < SETTLE_S && !is_settled(status, &rows) && !interrupt_is_pending(); i++)
		(void)poll(NULL, 0, 1000);
	r = program_run(argv, &options);
	if (r > 0)
		why_set(ret_why, "the first report was not sent; 'maillogsentinel report --send' "
				 "tries again");
	return r > 0 ? PLAN_GOES_ON : r;
}

/* ---- all of it ------------------------------------------------------------------------------ */

bool setup_lacks_databases(const Config *config)
{
	return (config->geolocation.country_db_url[0] &&
		       access(config->geolocation.country_db_path, F_OK) < 0) ||
	       (config->asn_aso.asn_db_url[0] && access(config->asn_aso.asn_db_path, F_OK) < 0);
}

int setup_plan(Setup *setup, Plan *plan, Why *ret_why)
{
	const Config *config = setup->config;
	bool writes = setup->text.data != NULL;
	const char *backup;
	int r = program_path_dup(&setup->program);

	if (!r)
		r = plan_add_user(plan, OWNER_SERVICE);
	if (!r)
		r = add_directories(config, plan);
	if (!r)
		r = add_password(plan, "report.smtp_password_file",
			config->report.smtp_password_file, ret_why);
	if (!r)
		r = add_password(plan, "database.db_password_file",
			config->database.db_password_file, ret_why);
	if (!r && writes)
		r = plan_add_file(plan, MLS_DEFAULT_CONFIG, setup->text, 0644, &backup);
	if (!r)
		r = plan_add_step(plan, NULL, apply_check, NULL, setup);
	if (!r && setup->fetch) {
		r = setup_fetch_new(setup);
		if (!r)
			r = plan_add_step(plan, "fetch the databases of countries and networks",
				setup_fetch_apply, setup_fetch_undo, setup);
	}
	if (!r && setup->systemd)
		r = add_service(setup, plan, plan_count(plan) > 0, ret_why);
	if (!r && setup->report)
		r = plan_add_step(plan, "mail a first report", apply_report, NULL, setup);
	return r;
}
