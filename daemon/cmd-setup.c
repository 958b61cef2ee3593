/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/calendar.h"
#include "base/file.h"
#include "build-config.h"
#include "daemon/command.h"
#include "daemon/dialog.h"
#include "daemon/interrupt.h"
#include "daemon/interview.h"
#include "daemon/legacy.h"
#include "daemon/log.h"
#include "daemon/owner.h"
#include "daemon/place.h"
#include "daemon/setup.h"
#include "daemon/unit.h"
#include "report/display.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define CONFIG_MAX ((size_t)1 << 20)

enum { OPTION_INTERACTIVE, OPTION_AUTOMATED, OPTION_DRY_RUN };

static const CommandOption options[] = {
	[OPTION_INTERACTIVE] = {"interactive", 0, NULL,
		"ask, and say what would be done before it is done"},
	[OPTION_AUTOMATED] = {"automated", 0, "FILE",
		"ask nothing, take FILE as the configuration"},
	[OPTION_DRY_RUN] = {"dry-run", 0, NULL, "say what would be done, and change nothing"},
	{0},
};

#define MARK "# Written by 'maillogsentinel setup'"

static const char introduction[] =
	"# maillogsentinel.conf: the configuration of maillogsentinel(8)\n"
	"#\n" MARK ". What is not said here has its default; "
	"maillogsentinel.conf(5) explains\n"
	"# every option. After a change: maillogsentinel check-config && systemctl reload "
	"maillogsentinel\n";

typedef struct Request {
	bool interactive, dry_run;
	const char *file; /* of --automated */
} Request;

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

/* 0 or an exit status, said. */
static int check_request(const CommandInvocation *invocation, Request *ret_request)
{
	Request request = {
		.interactive = !invocation->option[OPTION_AUTOMATED].count,
		.dry_run = invocation->option[OPTION_DRY_RUN].count,
		.file = invocation->option[OPTION_AUTOMATED].value,
	};

	if (!request.interactive && invocation->option[OPTION_INTERACTIVE].count) {
		log_error("setup: --interactive and --automated exclude each other");
		return EXIT_USAGE;
	}
	if (invocation->config_path) {
		log_error("setup: writes " MLS_DEFAULT_CONFIG
			  ", which is what the service reads; -c has no place here");
		return EXIT_USAGE;
	}
	if (request.interactive && !dialog_is_possible()) {
		log_error("setup: asks questions, and this is no terminal; --automated FILE asks "
			  "none");
		return EXIT_USAGE;
	}
	if (geteuid() != 0 && !request.dry_run) {
		log_error("setup: makes a user, directories and a service, which root alone can: "
			  "run it "
			  "with sudo, or with --dry-run to see what it would do");
		return EXIT_FAILED;
	}
	*ret_request = request;
	return 0;
}

/* What is in the way of the service, it can't be put beside. 0 or an exit status, said. */
static int refuse_legacy(const Config *config)
{
	_cleanup_legacy_ Legacy legacy = LEGACY_INIT;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r = legacy_find(MLS_DEFAULT_CONFIG, config, &legacy);

	if (r < 0)
		return fail("setup", r);
	legacy_append(&legacy, "", &text);
	command_log_mistakes(&text);
	return legacy.blocks ? say_nothing_changed() : 0;
}

/* ---- the configuration ---------------------------------------------------------------------- */

/* What is there already. One with mistakes is not taken over. 0 or an exit status, said. */
static int load_present(Config **ret_config)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = config_load(NULL, ret_config, &errors);

	if (r != -EINVAL)
		return r < 0 ? fail(MLS_DEFAULT_CONFIG, r) : 0;
	command_log_mistakes(&errors);
	log_warning(MLS_DEFAULT_CONFIG ": has mistakes; the questions begin with the defaults");
	strbuf_reset(&errors);
	r = config_load("/dev/null", ret_config, &errors);
	if (r < 0)
		return fail(MLS_DEFAULT_CONFIG, r);
	free(TAKE((*ret_config)->path));
	return 0;
}

static bool is_ours(void)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;

	return !file_read(MLS_DEFAULT_CONFIG, CONFIG_MAX, &text) &&
	       strstr(strbuf_text(&text), MARK);
}

/* Makes the text and the configuration of the answers; no text where the file says just that. 0 or an exit status, said. */
static int write_answers(const Interview *interview, Config **ret_config, StrBuf *ret_text)
{
	_cleanup_(settings_freep) Settings *present = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = settings_load(interview->settings, ret_config, &errors);

	if (r == -EINVAL) {
		command_log_mistakes(&errors);
		return EXIT_CONFIG;
	}
	if (!r)
		r = settings_new(interview->config, &present);
	if (r < 0)
		return fail("setup", r);
	if (interview->config->path && settings_equal(present, interview->settings))
		return 0;
	strbuf_append_string(ret_text, introduction);
	strbuf_append_char(ret_text, '\n');
	settings_append(interview->settings, ret_text);
	return strbuf_error(ret_text) ? fail("setup", strbuf_error(ret_text)) : 0;
}

/* 0, DIALOG_ENDED, or an exit status (which is larger), said. */
static int ask(Setup *setup, Config **ret_config, StrBuf *ret_text)
{
	_cleanup_(settings_freep) Settings *settings = NULL;
	_cleanup_(config_freep) Config *present = NULL;
	_cleanup_survey_ Survey survey = SURVEY_INIT;
	Interview interview = {.survey = &survey, .systemd = setup->systemd, .again = is_ours()};
	int r = load_present(&present);

	if (!r)
		r = refuse_legacy(present);
	if (r)
		return r;
	interview.config = present;
	interview.now_us = time(NULL) * USEC_PER_SEC;
	r = survey_make(interview.now_us, &survey);
	if (!r)
		r = settings_new(present->path ? present : NULL, &settings);
	if (r < 0)
		return fail("setup", r);
	interview.settings = settings;
	printf("MailLogSentinel " MLS_VERSION "\n\n");
	r = interview_hold(&interview);
	if (r > 0)
		putchar('\n');
	if (r)
		return r < 0 ? EXIT_FAILED : say_nothing_changed();
	setup->fetch = interview.fetch;
	setup->report = interview.report;
	return write_answers(&interview, ret_config, ret_text);
}

static int take_file(Setup *setup, const char *path, Config **ret_config, StrBuf *ret_text)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	struct stat st;
	int r;

	/* It is read twice: as a configuration, and as bytes. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		log_error("%s: is not a regular file", path);
		return EXIT_CONFIG;
	}
	r = config_load(path, ret_config, &errors);
	if (r < 0) {
		command_log_mistakes(&errors);
		return EXIT_CONFIG;
	}
	r = refuse_legacy(*ret_config);
	if (r)
		return r;
	r = file_read(path, CONFIG_MAX, ret_text);
	if (r < 0)
		return fail(path, r);
	setup->fetch = setup_lacks_databases(*ret_config) &&
		       *(*ret_config)->schedule.ip_update_schedule &&
		       strcmp((*ret_config)->schedule.ip_update_schedule, "off") != 0;
	return 0;
}

/* Whether the service's user will be able to live with it. 0 or an exit status, said. */
static int check(const Setup *setup)
{
	const Config *config = setup->config;
	const struct {
		const char *key, *path;
	} places[] = {
		{"paths.working_dir", config->paths.working_dir},
		{"paths.state_dir", config->paths.state_dir},
	};
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = 0, bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && (!r || r == -EINVAL); i++) {
		Why why = {""};

		r = place_check_directory(
			places[i].path, place_is_own(places[i].path), setup->systemd, &why);
		if (r == -EINVAL) {
			log_error("%s: %s %s", places[i].key, places[i].path, why.text);
			bad = EXIT_CONFIG;
		}
	}
	if (!r || r == -EINVAL)
		r = place_check_record(config, &errors);
	/* It keeps its mode when it is written anew. */
	if (!r || r == -EINVAL)
		r = place_check_readable(MLS_DEFAULT_CONFIG, &errors);
	if (!r || r == -EINVAL)
		r = place_check_config(config, NULL, NULL, setup->systemd, &errors);
	if (r < 0 && r != -EINVAL)
		return fail("setup", r);
	command_log_mistakes(&errors);
	if (bad || errors.len)
		(void)say_nothing_changed();
	return bad || errors.len ? EXIT_CONFIG : 0;
}

/* ---- the deed ------------------------------------------------------------------------------- */

static void show(const Setup *setup, const Plan *plan, bool interactive)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	const char *line = setup->text.data;

	plan_append(plan, &text);
	printf("%sThis is to be done:\n\n%s\n", interactive ? "\n" : "", strbuf_text(&text));
	if (!line || !interactive)
		return;
	printf("The configuration:\n\n");
	while (*line) {
		size_t tabs = strspn(line, "\t"), n = strcspn(line, "\n");

		strbuf_reset(&text);
		display_append_escaped(&text, (Span){line + tabs, n - tabs});
		printf("    %.*s%s\n", (int)tabs, line, strbuf_text(&text));
		line += n + (line[n] == '\n');
	}
	putchar('\n');
}

static void say_done(const Setup *setup)
{
	const Config *config = setup->config;
	_cleanup_free_ char *csv = config_csv_path_dup(config);

	putchar('\n');
	if (setup->systemd) {
		dialog_say(0, "Done: the service runs, and starts with the system.");
		dialog_say(
			2, "What it does: maillogsentinel status; journalctl -u maillogsentinel");
	} else {
		dialog_say(0, "Done. There is no systemd here: let what supervises services run, "
			      "as root,");
		printf("\n    %s run\n\n", setup->program);
		dialog_say(0,
			"It becomes the user %s by itself, stays in the foreground, reads its "
			"configuration anew at SIGHUP and ends at SIGTERM.",
			OWNER_SERVICE);
	}
	dialog_say(2, "What it records: %s", csv ? csv : config->paths.working_dir);
	dialog_say(2, "What it says of that: maillogsentinel report");
}

/* The signals are held. Returns the exit status. */
static int carry_out(Setup *setup, const Request *request)
{
	_cleanup_(plan_freep) Plan *plan = NULL;
	Why why = {""};
	bool yes = true;
	int r = check(setup);

	if (r)
		return r;
	r = plan_new(&plan);
	if (!r)
		r = setup_plan(setup, plan, &why);
	if (r < 0) {
		log_error("setup: %s", *why.text ? why.text : strerror(-r));
		return say_nothing_changed();
	}
	if (!plan_count(plan)) {
		dialog_say(0, "All is as it should be already. Nothing was changed.");
		return EXIT_DONE;
	}
	show(setup, plan, request->interactive || request->dry_run);
	if (request->dry_run) {
		dialog_say(0, "Nothing was changed (--dry-run).");
		return EXIT_DONE;
	}
	if (request->interactive && (dialog_confirm("Do it", true, &yes) || !yes)) {
		putchar('\n');
		return say_nothing_changed();
	}
	putchar('\n');
	r = plan_apply(plan);
	if (r == PLAN_FAILED)
		log_error("setup: all but that is done; the reason stands in: journalctl "
			  "-u " UNIT_NAME);
	else if (r)
		return say_nothing_changed();
	else
		say_done(setup);
	return r ? EXIT_FAILED : EXIT_DONE;
}

static int run(const CommandInvocation *invocation)
{
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_setup_ Setup setup = SETUP_INIT;
	Request request = {0};
	int r = check_request(invocation, &request);

	if (r)
		return r;
	setup.systemd = unit_is_possible();
	/* Whoever reads what we say may go away; what was begun is brought to its end, or taken back, all the same. */
	(void)signal(SIGPIPE, SIG_IGN);
	interrupt_hold(&setup.before);
	r = request.interactive ? ask(&setup, &config, &text)
				: take_file(&setup, request.file, &config, &text);
	if (!r) {
		setup.config = config;
		/* An empty file is a configuration, too. */
		if (text.len || !request.interactive)
			setup.text = (Span){strbuf_text(&text), text.len};
		r = carry_out(&setup, &request);
	}
	/* One that came ends the program now, as whoever sent it expects. */
	(void)fflush(stdout);
	interrupt_let_go(&setup.before);
	return r;
}

const Command command_setup = {
	.name = "setup",
	.arguments = "",
	.help = "make the configuration, the user, the directories and the service",
	.options = options,
	.run = run,
};
