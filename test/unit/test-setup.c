/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What setup is made of: the settings that become a file, the unit's drop-in, the plan and its way back, the marks of the Python version. */

#include <pwd.h>

#include "daemon/legacy.h"
#include "daemon/plan.h"
#include "daemon/settings.h"
#include "daemon/unit.h"

#include "scratch.h"
#include "tap.h"

/* ---- settings ------------------------------------------------------------------------------- */

static Config *load(const char *text)
{
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	Config *config = NULL;

	scratch_text("conf", text);
	MUST(!config_load("conf", &config, &errors));
	return config;
}

static void test_append(void)
{
	static const struct {
		const char *what, *text, *expected;
	} cases[] = {
		{"nothing", "", ""},
		{"defaults that are said", "dns: { tries = 2; enabled = true; };", ""},
		{"a number", "dns: { tries = 3; };",
			"# Names of addresses, by reverse DNS.\ndns: {\n"
			"\t# Tries for a name until the status is Timeout. (1 to 8)\n\ttries = "
			"3;\n};\n"},
		{"two groups, in the table's order",
			"dns_cache: { enabled = false; }; source: { quiet_warning = 3600; };",
			"# What is read, and when its silence is worth a warning.\nsource: {\n"
			"\t# How long a log may bring no line, or none of smtpd, before that is a "
			"warning; "
			"\"0\" is never. (0 to 8760 h)\n\tquiet_warning = \"1 h\";\n};\n\n"
			"# The names that were asked for are remembered.\ndns_cache: {\n"
			"\t# Whether answers are remembered.\n\tenabled = false;\n};\n"},
		{"a list, and what has to be escaped",
			"paths: { mail_log = [ \"/a \\\"b\\\\\", \"/c\\x01\" ]; };",
			"# Where things are.\npaths: {\n"
			"\t# Postfix's log, or a list of logs and patterns, "
			"\"/var/log/*/mail.log\"; what "
			"is not there yet is waited for.\n"
			"\tmail_log = [ \"/a \\\"b\\\\\", \"/c\\x01\" ];\n};\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(config_freep) Config *config = load(cases[i].text), *again = NULL;
		_cleanup_(settings_freep) Settings *settings = NULL, *settings_again = NULL;
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT, errors = STRBUF_INIT;
		_cleanup_strbuf_ StrBuf dump = STRBUF_INIT, dump_again = STRBUF_INIT;

		MUST(!settings_new(config, &settings));
		settings_append(settings, &text);
		if (!tap_ok(!strcmp(strbuf_text(&text), cases[i].expected), "%s", cases[i].what))
			tap_note("%s", strbuf_text(&text));
		MUST(!settings_load(settings, &again, &errors));
		MUST(!settings_new(again, &settings_again));
		config_dump(config, &dump);
		config_dump(again, &dump_again);
		tap_ok(settings_equal(settings, settings_again) &&
				!strcmp(strbuf_text(&dump), strbuf_text(&dump_again)),
			"%s: read again it is the same", cases[i].what);
	}
}

static void test_set(void)
{
	static const struct {
		const char *group, *key, *texts[3];
		int r;
		const char *expected; /* the line, or the reason */
	} cases[] = {
		{"paths", "working_dir", {"/srv/a"}, 0, "working_dir = \"/srv/a\";"},
		{"paths", "working_dir", {"/srv//a/"}, 0, "working_dir = \"/srv/a\";"},
		{"paths", "working_dir", {"a"}, -EINVAL,
			"\"a\" does not start with /: a path must be absolute"},
		{"paths", "working_dir", {""}, -EINVAL, "is empty"},
		{"paths", "working_dir", {"/var/log/maillogsentinel"}, 0, NULL},
		{"paths", "mail_log", {"/a", "/b"}, 0, "mail_log = [ \"/a\", \"/b\" ];"},
		{"paths", "mail_log", {"/a", "/a"}, -EINVAL, "\"/a\" is listed twice"},
		{"paths", "mail_log", {NULL}, -EINVAL, "is an empty list"},
		{"report", "email", {""}, 0, NULL},
		{"report", "email", {"a@example.com"}, 0, "email = \"a@example.com\";"},
		{"source", "type", {"journal"}, 0, "type = \"journal\";"},
		{"source", "type", {"auto"}, 0, NULL},
		{"schedule", "report_schedule", {"25:00"}, -EINVAL, "\"25:00\" is no time"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(settings_freep) Settings *settings = NULL;
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		const char *shown;
		size_t count = 0;
		Why why = {""};
		int r;

		while (count < ARRAY_SIZE(cases[i].texts) && cases[i].texts[count])
			count++;
		MUST(!settings_new(NULL, &settings));
		r = settings_set(
			settings, cases[i].group, cases[i].key, cases[i].texts, count, &why);
		settings_append(settings, &text);
		shown = r ? why.text : strbuf_text(&text);
		if (!tap_ok(r == cases[i].r &&
				    (cases[i].expected ? strstr(shown, cases[i].expected) != NULL
						       : !*shown),
			    "%s.%s, case %zu", cases[i].group, cases[i].key, i))
			tap_note("%d %s", r, shown);
	}
}

/* ---- the unit ------------------------------------------------------------------------------- */

static void test_drop_in(void)
{
	static const struct {
		const char *what, *text, *expected; /* the lines after [Service] */
	} cases[] = {
		{"the defaults", "", NULL},
		{"below the defaults",
			"paths: { working_dir = \"/var/log/maillogsentinel/a\"; }; general: { "
			"log_file = "
			"\"/var/lib/maillogsentinel/b/log\"; };",
			NULL},
		{"beside the defaults", "paths: { working_dir = \"/var/log/maillogsentinels\"; };",
			"ReadWritePaths=\"-/var/log/maillogsentinels\"\n"},
		{"one in the other",
			"paths: { working_dir = \"/srv/a\"; }; general: { log_file = "
			"\"/srv/a/log\"; };",
			"ReadWritePaths=\"-/srv/a\"\n"},
		{"what systemd would take for something else",
			"paths: { state_dir = \"/srv/100 % \\\"\\\\\"; };",
			"ReadWritePaths=\"-/srv/100 %% \\\"\\\\\"\n"},
		{"a database that another program fetches",
			"geolocation: { country_db_path = \"/usr/share/GeoIP/c.mmdb\"; };", NULL},
		{"a database that we fetch",
			"ASN_ASO: { asn_db_path = \"/srv/db/a.mmdb\"; asn_db_url = \"file:///a\"; "
			"};",
			"ReadWritePaths=\"-/srv/db\"\n"},
		{"metrics",
			"metrics: { textfile = \"/var/lib/prometheus/node-exporter/m.prom\"; };",
			"ReadWritePaths=\"-/var/lib/prometheus/node-exporter\"\n"},
		{"files of SQL, and SQLite's",
			"database: { sql_export_dir = \"/srv/sql\"; db_path = \"/srv/db/x\"; };",
			"ReadWritePaths=\"-/srv/sql\"\nReadWritePaths=\"-/srv/db\"\n"},
		{"a server's database",
			"database: { db_type = \"postgresql\"; db_path = \"/srv/db/x\"; };", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(config_freep) Config *config = load(cases[i].text);
		_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
		const char *at;
		Why why;

		MUST(!unit_append_drop_in(config, &text, &why));
		at = strstr(strbuf_text(&text), "[Service]\n");
		if (!tap_ok(cases[i].expected ? at && !strcmp(at + 10, cases[i].expected) &&
							unit_is_ours((Span){text.data, text.len})
					      : !text.len,
			    "drop-in: %s", cases[i].what))
			tap_note("%s", strbuf_text(&text));
	}
}

static void test_drop_in_refused(void)
{
	_cleanup_(config_freep) Config *config =
		load("paths: { state_dir = \"/srv/a\\nExecStartPre=+x\\n#/b\"; };");
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Why why = {""};

	tap_ok(unit_append_drop_in(config, &text, &why) == -EINVAL &&
			strstr(why.text, ": holds a control character"),
		"drop-in: a path with a line's end is refused");
}

static void test_unit(void)
{
	_cleanup_strbuf_ StrBuf plain = STRBUF_INIT, strange = STRBUF_INIT;

	unit_append("/opt/a/maillogsentinel", &plain);
	unit_append("/opt/100 %/maillogsentinel", &strange);
	tap_ok(strstr(plain.data, "\nExecStart=/opt/a/maillogsentinel run\n") &&
			strstr(plain.data, "\nExecReload=/opt/a/maillogsentinel check-config\n") &&
			strstr(plain.data, "\nProtectSystem=strict\n"),
		"the unit names the program, and has the sandbox");
	tap_ok(strstr(strange.data, "\nExecStart=\"/opt/100 %%/maillogsentinel\" run\n") != NULL,
		"also in a strange place");
	tap_ok(!strstr(plain.data, "@PROGRAM@") && !strstr(plain.data, "@SANDBOX@"),
		"nothing is left to be filled in");
}

static void test_hides(void)
{
	static const struct {
		const char *path;
		bool hidden;
	} cases[] = {
		{"/home/a", true},
		{"/home", true},
		{"/homes/a", false},
		{"/root/x", true},
		{"/rooted", false},
		{"/tmp/x", true},
		{"/var/tmp/x", true},
		{"/var/log/x", false},
		{"/run/user/0/x", true},
		{"/run/x", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tap_ok(!!unit_hides(cases[i].path) == cases[i].hidden, "'%s' is %s", cases[i].path,
			cases[i].hidden ? "hidden" : "seen");
}

/* ---- the plan ------------------------------------------------------------------------------- */

static bool said; /* that a step was taken back */

static int fail_apply(void *userdata, Why *ret_why)
{
	(void)userdata;
	why_set(ret_why, "%s", "is to fail");
	return -EIO;
}

static int no_apply(void *userdata, Why *ret_why)
{
	(void)userdata;
	(void)ret_why;
	return 0;
}

static void mark_undo(void *userdata)
{
	(void)userdata;
	said = true;
}

/* Without what it prints, which is no TAP. */
static int apply_quietly(Plan *plan)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY),
	    r;

	MUST(out >= 0 && err >= 0 && null >= 0);
	(void)fflush(stdout);
	MUST(dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0);
	r = plan_apply(plan);
	(void)fflush(stdout);
	MUST(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
	(void)close(out);
	(void)close(err);
	(void)close(null);
	return r;
}

/* Everything below the scratch directory, as "NAME=TEXT" or "NAME/" or "NAME->TARGET", in an order of its own. */
static StrBuf listing;

static int list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	char target[4096] = "";

	if (!ftw->level)
		return 0;
	if (type == FTW_F)
		MUST(!file_read(path, 4096, &text));
	if (type == FTW_SL)
		MUST(readlink(path, target, sizeof(target) - 1) >= 0);
	strbuf_appendf(&listing, "%s %o%s%s%s\n", path + strlen(scratch_root), st->st_mode & 07777,
		type == FTW_F ? "=" : "/", strbuf_text(&text), target);
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *list_dup(void)
{
	_cleanup_strbuf_ StrBuf sorted = STRBUF_INIT;
	char *lines[64], *save = NULL;
	size_t count = 0;

	strbuf_reset(&listing);
	MUST(!nftw(scratch_root, list_one, 8, FTW_PHYS));
	strbuf_append_char(&listing, '\n');
	for (char *line = strtok_r(listing.data, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		MUST(count < ARRAY_SIZE(lines));
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		strbuf_appendf(&sorted, "%s\n", lines[i]);
	return sorted.len ? strbuf_take(&sorted) : strdup("");
}

static char *path_of(const char *name)
{
	char *path = file_join_dup(scratch_root, name);

	MUST(path);
	return path;
}

/* A plan of every kind of file step, which ends with a step that fails, or well. */
static void make_plan(Plan *plan, bool fails, char **ret_backup)
{
	const struct passwd *user = getpwuid(geteuid());
	_cleanup_free_ char *deep = path_of("new/deep/dir"), *old = path_of("old"),
			    *fresh = path_of("more/fresh");
	_cleanup_free_ char *link_path = path_of("link"), *gone = path_of("gone"),
			    *same = path_of("same");
	const char *backup = NULL;

	MUST(user);
	MUST(!plan_add_directory(plan, deep, user->pw_name, 0750, false));
	MUST(!plan_add_file(plan, old, SPAN_LITERAL("new text"), 0644, &backup));
	*ret_backup = backup ? strdup(backup) : NULL;
	MUST(!plan_add_file(plan, fresh, SPAN_LITERAL("fresh"), 0600, NULL));
	MUST(!plan_add_file(plan, link_path, SPAN_LITERAL("through the link"), 0644, NULL));
	MUST(!plan_add_removal(plan, gone));
	MUST(!plan_add_file(plan, same, SPAN_LITERAL("same"), 0644, NULL));
	if (fails) {
		MUST(!plan_add_step(plan, "mark", no_apply, mark_undo, NULL));
		MUST(!plan_add_step(plan, "fail", fail_apply, mark_undo, NULL));
	}
}

static void make_files(void)
{
	_cleanup_free_ char *link_path = path_of("link");

	scratch_empty();
	scratch_text("old", "old text");
	scratch_text("gone", "to go");
	scratch_text("same", "same");
	scratch_text("target", "target");
	MUST(!chmod("target", 0640));
	MUST(!symlink("target", link_path));
}

static void test_plan(void)
{
	_cleanup_free_ char *before = NULL, *after = NULL, *done = NULL, *again = NULL,
			    *backup = NULL, *none = NULL;
	_cleanup_(plan_freep) Plan *plan = NULL;
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT, kept = STRBUF_INIT;

	make_files();
	before = list_dup();
	MUST(!plan_new(&plan));
	make_plan(plan, true, &backup);
	after = list_dup();
	tap_ok(!strcmp(before, after), "a plan alone changes nothing");
	plan_append(plan, &text);
	tap_ok(plan_count(plan) == 7 && strstr(strbuf_text(&text), "   2. write ") &&
			strstr(strbuf_text(&text), "   5. remove "),
		"it says what it has: nothing of what is so already");
	said = false;
	tap_ok(apply_quietly(plan) == PLAN_TAKEN_BACK && said, "a step fails");
	plan_free(TAKE(plan));
	free(after);
	after = list_dup();
	if (!tap_ok(!strcmp(before, after), "all is as it was"))
		tap_note("%s instead of %s", after, before);

	free(TAKE(backup));
	MUST(!plan_new(&plan));
	make_plan(plan, false, &backup);
	tap_ok(!apply_quietly(plan), "all is done");
	plan_free(TAKE(plan));
	done = list_dup();
	MUST(backup && !file_read(backup, 100, &kept));
	tap_ok(strstr(done, "/new/deep/dir 750/") && strstr(done, "/old 644=new text\n") &&
			strstr(done, "/more/fresh 600=fresh\n") &&
			strstr(done, "/target 640=through the link\n") &&
			strstr(done, "/link 777/target\n") && !strstr(done, "/gone") &&
			!strcmp(kept.data, "old text"),
		"as it shall be");
	MUST(!unlink(backup));
	MUST(!plan_new(&plan));
	make_plan(plan, false, &none);
	tap_ok(!plan_count(plan), "then there is nothing to do");
	again = list_dup();
	tap_ok(!strstr(again, ".20"), "and no file is left beside");
}

static void test_end(void)
{
	_cleanup_(plan_freep) Plan *plan = NULL;

	MUST(!plan_new(&plan));
	MUST(!plan_add_step(plan, "mark", no_apply, mark_undo, NULL));
	plan_add_end(plan);
	MUST(!plan_add_step(plan, "fail", fail_apply, NULL, NULL));
	said = false;
	tap_ok(apply_quietly(plan) == PLAN_FAILED && !said, "behind the end nothing is taken back");
}

/* ---- the Python version --------------------------------------------------------------------- */

static void test_legacy(void)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
		{"[paths]\nworking_dir = /var/log/maillogsentinel\n", true},
		{"# Generated by setup\n\n[report]\nemail = a@example.com\n", true},
		{"[ASN_ASO]", true},
		{"", false},
		{"[paths", false},
		{"[path]\n[other]\n", false},
		{"paths: {\n\tmail_log = [ \"/a\", \"/b\" ];\n};\n", false},
		{"paths: { mail_log =\n[\"/a\"]; };", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tap_ok(legacy_is_config(span_from_string(cases[i].text)) == cases[i].is,
			"configuration %zu is %s", i, cases[i].is ? "the Python version's" : "not");
}

int main(void)
{
	(void)umask(022);
	scratch_enter();
	test_append();
	test_set();
	test_drop_in();
	test_drop_in_refused();
	test_unit();
	test_hides();
	test_plan();
	test_end();
	test_legacy();
	strbuf_done(&listing);
	return tap_done();
}
