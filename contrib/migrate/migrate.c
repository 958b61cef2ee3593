/* SPDX-License-Identifier: GPL-3.0-or-later */

/* maillogsentinel-migrate: from the Python version to this one. Looks at what there is, says what is to be done, and does it: all or nothing. */

#include "build-config.h"
#include "daemon/command.h"
#include "daemon/dialog.h"
#include "daemon/interrupt.h"
#include "daemon/legacy.h"
#include "daemon/log.h"
#include "daemon/owner.h"
#include "daemon/place.h"
#include "daemon/program.h"
#include "daemon/unit.h"
#include "migrate/aside.h"
#include "migrate/old-record.h"
#include "migrate/old-units.h"
#include "report/display.h"

#include "base/file.h"

#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define CONFIG_MAX ((size_t)1 << 20)
#define DEFAULT_DIR "/var/backups/maillogsentinel-python"

static const char introduction[] =
	"# maillogsentinel.conf: the configuration of maillogsentinel(8)\n"
	"#\n# Written by 'maillogsentinel-migrate' out of that of the Python version. What is not "
	"said here has its\n# default; maillogsentinel.conf(5) explains every option. After a "
	"change:\n# maillogsentinel check-config && systemctl reload maillogsentinel\n";

typedef struct Migration {
	const char *from, *dir; /* of the options */
	bool dry_run, yes;
	bool systemd;
	const char *ini_path; /* NULL: there is none */
	StrBuf ini, text;     /* the old configuration, the new one */
	Legacy legacy;
	OldTimes times;
	OldConfig old;
	Config *config;
	OldRecord record;
	StrBuf cron;
} Migration;

static void migration_done(Migration *migration)
{
	strbuf_done(&migration->ini);
	strbuf_done(&migration->text);
	strbuf_done(&migration->cron);
	legacy_done(&migration->legacy);
	old_times_done(&migration->times);
	old_record_done(&migration->record);
	old_config_done(&migration->old);
	config_free(migration->config);
}

static int fail(const char *what, int r)
{
	log_error("%s: %s", what, strerror(-r));
	return EXIT_FAILED;
}

static int say_nothing_changed(void)
{
	dialog_say(0, "Nothing was changed.");
	return EXIT_FAILED;
}

/* ---- what there is -------------------------------------------------------------------------- */

/* 0 where the file is one; 1 where not; -errno. */
static int read_ini(Migration *migration, const char *path)
{
	int r;

	strbuf_reset(&migration->ini);
	r = file_read(path, CONFIG_MAX, &migration->ini);
	if (r == -ENOENT)
		return 1;
	if (r < 0)
		return r;
	return legacy_is_config((Span){strbuf_text(&migration->ini), migration->ini.len}) ? 0 : 1;
}

/* The old configuration: the one that is named, or where it was, or where a package that took its place has put it. 0 or an exit status, said. */
static int find_ini(Migration *migration)
{
	static const char *const places[] = {MLS_DEFAULT_CONFIG, MLS_DEFAULT_CONFIG ".dpkg-old",
		MLS_DEFAULT_CONFIG ".rpmorig", MLS_DEFAULT_CONFIG ".rpmsave"};
	int r = 1;

	if (migration->from) {
		if (access(migration->from, F_OK) < 0)
			return fail(migration->from, -errno);
		r = read_ini(migration, migration->from);
		migration->ini_path = migration->from;
		if (r > 0)
			log_error("%s: is no configuration of the Python version", migration->from);
		return r < 0 ? fail(migration->from, r) : r ? EXIT_CONFIG : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places) && r > 0; i++) {
		r = read_ini(migration, places[i]);
		migration->ini_path = places[i];
	}
	if (r < 0)
		return fail(migration->ini_path, r);
	if (r) {
		migration->ini_path = NULL;
		strbuf_reset(&migration->ini);
	}
	return 0;
}

/* What this version's shall be. 0 or an exit status, said. */
static int make_config(Migration *migration)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r;

	if (!migration->ini_path) {
		r = config_load(NULL, &migration->config, &errors);
	} else {
		r = settings_load(migration->old.settings, &migration->config, &errors);
		strbuf_append_string(&migration->text, introduction);
		strbuf_append_char(&migration->text, '\n');
		settings_append(migration->old.settings, &migration->text);
		if (!r)
			r = strbuf_error(&migration->text);
	}
	command_log_mistakes(&errors);
	if (r && !errors.len)
		return fail(MLS_DEFAULT_CONFIG, r);
	return r ? EXIT_CONFIG : 0;
}

/* Without its configuration, that program was where this version is. */
static int replace_dup(char **place, const char *path)
{
	free(*place);
	*place = strdup(path);
	return *place ? 0 : -ENOMEM;
}

static int take_own_places(Migration *migration)
{
	const Config *config = migration->config;
	int r = replace_dup(&migration->old.working_dir, config->paths.working_dir);

	if (!r)
		r = replace_dup(&migration->old.state_dir, config->paths.state_dir);
	return r ? r : replace_dup(&migration->old.csv_filename, config->paths.csv_filename);
}

/* 0 or an exit status, said. */
static int look(Migration *migration)
{
	Why why = {""};
	int r = find_ini(migration);

	if (r)
		return r;
	r = legacy_find(MLS_DEFAULT_CONFIG, NULL, &migration->legacy);
	if (!r)
		r = old_units_times(&migration->legacy, migration->dir, &migration->times);
	if (!r)
		r = old_config_read((Span){strbuf_text(&migration->ini), migration->ini.len},
			&migration->times, &migration->old);
	if (r < 0)
		return fail("migrate", r);
	r = make_config(migration);
	if (r)
		return r;
	if (!migration->ini_path)
		r = take_own_places(migration);
	if (!r)
		r = old_record_find(&migration->old, migration->config, migration->ini_path != NULL,
			&migration->record, &why);
	if (!r)
		r = old_record_read(&migration->record, &why);
	if (!r)
		r = old_units_find_cron(&migration->cron);
	if (r < 0) {
		log_error("%s", *why.text ? why.text : strerror(-r));
		return r == -EEXIST ? EXIT_CONFIG : EXIT_FAILED;
	}
	/* This version has been at work, so what the package has put aside is history. */
	if (migration->ini_path && !migration->from && !migration->record.wanted &&
		strcmp(migration->ini_path, MLS_DEFAULT_CONFIG) != 0)
		migration->ini_path = NULL;
	return 0;
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* A directory that is named after the program is the program's, wherever it is. */
static bool is_own(const char *path)
{
	return place_is_own(path) || strstr(strrchr(path, '/'), "maillogsentinel");
}

static int add_directory(const Migration *migration, Plan *plan, const char *option,
	const char *path, mode_t mode, Why *ret_why)
{
	Why why = {""};
	int r = place_check_directory(path, is_own(path), migration->systemd, &why);

	if (r == -EINVAL)
		why_set(ret_why, "%s: %s %s", option, path, why.text);
	return r ? r : plan_add_directory(plan, path, OWNER_SERVICE, mode, is_own(path));
}

static bool is_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && path[len] == '/';
}

static int add_directories(const Migration *migration, Plan *plan, Why *ret_why)
{
	const Config *config = migration->config;
	const char *inner = config->database.sql_export_dir;
	int r = plan_add_user(plan, OWNER_SERVICE);

	if (!r)
		r = add_directory(
			migration, plan, "paths.state_dir", config->paths.state_dir, 0755, ret_why);
	if (!r && strcmp(config->paths.working_dir, config->paths.state_dir) != 0)
		r = add_directory(migration, plan, "paths.working_dir", config->paths.working_dir,
			0750, ret_why);
	/* One in these that is there may be the old user's. */
	if (!r && !access(inner, F_OK) &&
		(is_in(inner, config->paths.state_dir) || is_in(inner, config->paths.working_dir)))
		r = plan_add_directory(plan, inner, OWNER_SERVICE, 0700, true);
	return r;
}

/* All that the pattern names. */
static int add_moves(const Migration *migration, Plan *plan, const char *dir, const char *pattern)
{
	_cleanup_free_ char *path = *pattern == '/' ? strdup(pattern) : file_join_dup(dir, pattern);
	glob_t found;
	int r = 0;

	if (!path)
		return -ENOMEM;
	if (glob(path, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !r; i++) {
		struct stat st;

		if (!lstat(found.gl_pathv[i], &st) && !S_ISDIR(st.st_mode))
			r = aside_add_move(plan, migration->dir, found.gl_pathv[i]);
	}
	globfree(&found);
	return r;
}

/* Its log, its files of SQL and its databases, whose names are this version's, too, or of no use any more. */
static int add_files(const Migration *migration, Plan *plan)
{
	const OldConfig *old = &migration->old;
	_cleanup_strbuf_ StrBuf logs = STRBUF_INIT;
	const struct {
		const char *dir, *pattern;
	} files[] = {
		{"/", old->log_file},
		{old->sql_dir, "*.sql"},
		{old->state_dir, "sql_state.offset"},
		{"/", old->sqlite},
		{"/", old->country_db},
		{"/", old->asn_db},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !r; i++)
		if (files[i].pattern)
			r = add_moves(migration, plan, files[i].dir, files[i].pattern);
	strbuf_appendf(&logs, "%s.[0-9]*", old->log_file);
	if (!r)
		r = strbuf_error(&logs);
	return r ? r : add_moves(migration, plan, "/", strbuf_text(&logs));
}

/* Root's, since it was its user's, who shall not write what root runs. What was there was kept, and comes back from there. */
static int apply_config(void *userdata, Why *ret_why)
{
	const Migration *migration = userdata;
	int r = file_replace(MLS_DEFAULT_CONFIG, migration->text.data, migration->text.len, 0644);

	if (r < 0)
		why_set(ret_why, MLS_DEFAULT_CONFIG ": %s", strerror(-r));
	return r;
}

static void undo_config(void *userdata)
{
	if (unlink(MLS_DEFAULT_CONFIG) < 0)
		log_error(MLS_DEFAULT_CONFIG ": can't be taken back: %s", strerror(errno));
}

static int add_config(Migration *migration, Plan *plan)
{
	int r;

	if (!migration->ini_path)
		return 0;
	r = aside_add_keep(plan, migration->dir, MLS_DEFAULT_CONFIG);
	if (!r)
		r = plan_add_step(
			plan, "write " MLS_DEFAULT_CONFIG, apply_config, undo_config, migration);
	if (!r && strcmp(migration->ini_path, MLS_DEFAULT_CONFIG) != 0)
		r = aside_add_move(plan, migration->dir, migration->ini_path);
	return r;
}

static bool is_python(const char *path)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	struct stat st;

	return !lstat(path, &st) && S_ISREG(st.st_mode) && !file_read(path, CONFIG_MAX, &text) &&
	       strstr(strbuf_text(&text), "python");
}

/* Links under the old names, so that a crontab or a habit is told the new command. */
static int add_programs(const Migration *migration, Plan *plan)
{
	static const char *const dirs[] = {"/usr/local/bin/", "/usr/local/sbin/"};
	static const char *const names[] = {"maillogsentinel.py", "maillogsentinel_setup.py",
		"ipinfo.py", "log_anonymizer.py", "update_csv_geolocation.py"};
	_cleanup_free_ char *self = NULL, *parent = NULL, *program = NULL;
	int r = program_path_dup(&self);

	if (r)
		return r;
	parent = file_parent_dup(self);
	program = parent ? file_join_dup(parent, "maillogsentinel") : NULL;
	if (!program)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !r; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names) && !r; k++) {
			_cleanup_free_ char *path = file_join_dup(dirs[i], names[k]);

			if (!path)
				return -ENOMEM;
			if (!is_python(path))
				continue;
			if (k == ARRAY_SIZE(names) - 1 || access(program, X_OK) < 0) {
				r = aside_add_move(plan, migration->dir, path);
				continue;
			}
			r = aside_add_keep(plan, migration->dir, path);
			if (!r)
				r = aside_add_link(plan, path, program);
		}
	return r;
}

static int make_plan(Migration *migration, Plan *plan, Why *ret_why)
{
	/* First, since a crontab could start one that reads and writes what is taken over. */
	int r = add_programs(migration, plan);

	if (!r)
		r = old_units_add(&migration->legacy, migration->dir, migration->systemd, plan);
	if (!r && (migration->record.wanted || migration->ini_path)) {
		r = add_directories(migration, plan, ret_why);
		if (!r)
			r = add_files(migration, plan);
	}
	if (!r)
		r = old_record_add(&migration->record, migration->dir, plan);
	return r ? r : add_config(migration, plan);
}

/* ---- what is said --------------------------------------------------------------------------- */

/* Each line of text, with blanks before it. */
static void print_lines(const char *text, const char *indent)
{
	while (*text) {
		_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
		size_t n = strcspn(text, "\n");

		display_append_escaped(&line, (Span){text, n});
		printf("%s%s\n", indent, strbuf_text(&line));
		text += n + (text[n] == '\n');
	}
}

static void print_config(const char *text)
{
	printf("The configuration:\n\n");
	while (*text) {
		_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
		size_t tabs = strspn(text, "\t"), n = strcspn(text, "\n");

		display_append_escaped(&line, (Span){text + tabs, n - tabs});
		printf("    %.*s%s\n", (int)tabs, text, strbuf_text(&line));
		text += n + (text[n] == '\n');
	}
	putchar('\n');
}

static void show(const Migration *migration, const Plan *plan)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	if (migration->ini_path) {
		printf("%s: %zu options are taken over", migration->ini_path, migration->old.taken);
		printf(migration->old.notes.len ? "; of the others:\n" : "\n");
		print_lines(strbuf_text(&migration->old.notes), "  ");
		putchar('\n');
	}
	old_record_describe(&migration->record, &text);
	print_lines(strbuf_text(&text), "");
	if (text.len)
		putchar('\n');
	if (migration->cron.len) {
		printf("To be removed by hand, since it starts the Python version:\n");
		print_lines(strbuf_text(&migration->cron), "  ");
		putchar('\n');
	}
	strbuf_reset(&text);
	plan_append(plan, &text);
	printf("This is to be done:\n\n%s\n", strbuf_text(&text));
	if (migration->ini_path)
		print_config(strbuf_text(&migration->text));
}

static void say_done(const Migration *migration)
{
	putchar('\n');
	dialog_say(0, "Done. What the Python version left is in %s.", migration->dir);
	dialog_say(2, "What comes next: maillogsentinel setup --automated " MLS_DEFAULT_CONFIG);
	dialog_say(2, "Or, with questions: maillogsentinel setup");
}

/* The signals are held. Returns the exit status. */
static int carry_out(Migration *migration)
{
	_cleanup_(plan_freep) Plan *plan = NULL;
	Why why = {""};
	bool yes = true;
	int r = plan_new(&plan);

	if (!r)
		r = make_plan(migration, plan, &why);
	if (r < 0) {
		log_error("%s", *why.text ? why.text : strerror(-r));
		return say_nothing_changed();
	}
	if (!plan_count(plan)) {
		dialog_say(0, "There is nothing of the Python version here. Nothing was changed.");
		return EXIT_DONE;
	}
	show(migration, plan);
	if (migration->dry_run) {
		dialog_say(0, "Nothing was changed (--dry-run).");
		return EXIT_DONE;
	}
	if (!migration->yes && (dialog_confirm("Do it", true, &yes) || !yes)) {
		putchar('\n');
		return say_nothing_changed();
	}
	r = plan_apply(plan);
	if (r)
		return say_nothing_changed();
	say_done(migration);
	return EXIT_DONE;
}

static int run(Migration *migration)
{
	sigset_t before;
	int r;

	if (geteuid() != 0 && !migration->dry_run) {
		log_error("migrate: moves files of the system, which root alone can: run it with "
			  "sudo, or with --dry-run to see what it would do");
		return EXIT_FAILED;
	}
	if (!migration->dry_run && !migration->yes && !dialog_is_possible()) {
		log_error("migrate: asks before it does anything, and this is no terminal; --yes "
			  "does it without");
		return EXIT_USAGE;
	}
	migration->systemd = unit_is_possible();
	(void)signal(SIGPIPE, SIG_IGN);
	interrupt_hold(&before);
	r = look(migration);
	if (!r)
		r = carry_out(migration);
	(void)fflush(stdout);
	interrupt_let_go(&before);
	return r;
}

/* ---- the command line ----------------------------------------------------------------------- */

static void print_help(FILE *to)
{
	fprintf(to, "Usage: maillogsentinel-migrate [OPTION]...\n"
		    "Takes over configuration, record and schedules of the Python version of "
		    "MailLogSentinel.\n\n"
		    "Options:\n"
		    "  --from FILE   its configuration (default " MLS_DEFAULT_CONFIG ")\n"
		    "  --to DIR      where its files are put aside (default " DEFAULT_DIR ")\n"
		    "  -n, --dry-run say what would be done, and change nothing\n"
		    "  -y, --yes     do it without a question\n"
		    "  -h, --help    show this help\n"
		    "  -V, --version show the version\n"
		    "\nmaillogsentinel-migrate(8) has it all.\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'}, {"dry-run", no_argument, NULL, 'n'},
		{"yes", no_argument, NULL, 'y'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	_cleanup_(migration_done) Migration migration = {.dir = DEFAULT_DIR};
	int c;

	while ((c = getopt_long(argc, argv, "nyhV", options, NULL)) != -1) {
		switch (c) {
		case 'f': migration.from = optarg; break;
		case 't': migration.dir = optarg; break;
		case 'n': migration.dry_run = true; break;
		case 'y': migration.yes = true; break;
		case 'h': print_help(stdout); return EXIT_DONE;
		case 'V': puts("maillogsentinel-migrate " MLS_VERSION); return EXIT_DONE;
		default: return EXIT_USAGE;
		}
	}
	if (optind < argc || *migration.dir != '/' || !migration.dir[1]) {
		fprintf(stderr, "maillogsentinel-migrate: %s\n",
			optind < argc ? "takes no arguments" : "--to wants an absolute path");
		return EXIT_USAGE;
	}
	return run(&migration);
}
