/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-rules.h"

#include <libconfig.h>

#include "base/file.h"
#include "base/utf8.h"
#include "daemon/config-mistakes.h"
#include "daemon/config-scan.h"

#define RULES_FILE_MAX ((size_t)1 << 20) /* bytes */

typedef struct Reader {
	Rules *rules;
	ConfigMistakes mistakes;
	int error; /* -ENOMEM */
} Reader;

static int keep_words_like(Rules *rules, const char *pattern, Why *ret_why)
{
	return rules_keep_words_like(rules, pattern, pattern, ret_why);
}

static const struct {
	const char *key;
	int (*add)(Rules *rules, const char *text, Why *ret_why);
} lists[] = {
	{"words", rules_keep_word},
	{"word_patterns", keep_words_like},
	{"hosts", rules_keep_host},
	{"networks", rules_keep_network},
};

static bool is_group(const char *name)
{
	return !strcmp(name, "replace") || !strcmp(name, "keep");
}

static void add_mistake(
	Reader *reader, const config_setting_t *setting, const char *group, const char *why)
{
	const char *name = config_setting_name(setting);

	config_mistakes_add(&reader->mistakes, config_setting_source_line(setting), "%s%s%.*s: %s",
		group, *group ? "." : "", (int)strcspn(name, "*"), name, why);
}

/* What r says of a text of the setting; `at` is where it stands. */
static void take_result(Reader *reader, const config_setting_t *setting, const config_setting_t *at,
	const char *group, int r, const Why *why)
{
	if (r == -EINVAL)
		config_mistakes_add(&reader->mistakes, config_setting_source_line(at), "%s.%s: %s",
			group, config_setting_name(setting), why->text);
	else if (r)
		reader->error = r;
}

static void read_pattern(Reader *reader, const config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);
	Why why = {""};

	if (!text) {
		add_mistake(reader, setting, "replace", "wants a pattern in quotes");
		return;
	}
	/* libconfig makes one character of \t, \n and others that patterns have, too. */
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ') {
			add_mistake(reader, setting, "replace",
				"holds a control character; in a pattern a \\ is written \\\\");
			return;
		}
	take_result(reader, setting, setting, "replace",
		rules_replace(reader->rules, config_setting_name(setting), text, &why), &why);
}

static void read_list(Reader *reader, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting), *text;
	bool single = config_setting_type(setting) == CONFIG_TYPE_STRING;
	int count = single ? 1 : config_setting_length(setting);
	Why why = {""};
	size_t which = 0;

	while (which < ARRAY_SIZE(lists) && strcmp(name, lists[which].key) != 0)
		which++;
	if (which == ARRAY_SIZE(lists)) {
		add_mistake(reader, setting, "keep",
			"unknown key; there are words, word_patterns, hosts and networks");
		return;
	}
	if (!single && !config_setting_is_aggregate(setting))
		count = -1;
	for (int i = 0; i < count; i++) {
		const config_setting_t *at =
			single ? setting : config_setting_get_elem(setting, (unsigned)i);

		text = config_setting_get_string(at);
		if (text)
			take_result(reader, setting, at, "keep",
				lists[which].add(reader->rules, text, &why), &why);
		else
			count = -1;
	}
	if (count < 0 || config_setting_is_group(setting))
		add_mistake(reader, setting, "keep", "wants a list of texts: [ \"...\", \"...\" ]");
}

/* config_scan's NAME*N is a group that was there before, which it has told. */
static bool is_named(const char *name, const char *wanted)
{
	size_t len = strlen(wanted);

	return !strncmp(name, wanted, len) && (!name[len] || name[len] == '*');
}

static void read_group(Reader *reader, const config_setting_t *group)
{
	const char *name = config_setting_name(group);
	bool replaces;

	if (*name == '*')
		return;
	replaces = is_named(name, "replace");
	if (!replaces && !is_named(name, "keep")) {
		add_mistake(reader, group, "", "unknown group; there are replace and keep");
		return;
	}
	if (!config_setting_is_group(group)) {
		add_mistake(reader, group, "", "is a group and wants braces: { ... };");
		return;
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);

		/* *N stands for what was broken. */
		if (strchr(config_setting_name(setting), '*'))
			continue;
		if (replaces)
			read_pattern(reader, setting);
		else
			read_list(reader, setting);
	}
}

static void read_tree(Reader *reader, const StrBuf *scanned)
{
	config_setting_t *root;
	config_t tree;

	config_init(&tree);
	/* After an error, what stands before it is in the tree. */
	if (!config_read_string(&tree, strbuf_text(scanned)))
		config_mistakes_add(&reader->mistakes, (unsigned)config_error_line(&tree), "%s",
			config_error_text(&tree));
	root = config_root_setting(&tree);
	for (int i = 0; i < config_setting_length(root); i++)
		read_group(reader, config_setting_get_elem(root, (unsigned)i));
	config_destroy(&tree);
}

static int read_file(Reader *reader, const char *path)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT, scanned = STRBUF_INIT;
	int r = file_read(path, RULES_FILE_MAX, &raw);

	if (r)
		return r;
	r = config_scan((Span){strbuf_text(&raw), raw.len}, is_group, &reader->mistakes, &scanned);
	if (!r)
		read_tree(reader, &scanned);
	if (r < 0)
		return r;
	return reader->error ? reader->error : reader->mistakes.error;
}

int config_rules_load(const char *path, Rules **ret_rules, StrBuf *ret_errors)
{
	_cleanup_(rules_freep) Rules *rules = NULL;
	Reader reader = {0};
	int r = rules_new(&rules);

	reader.rules = rules;
	if (!r)
		r = read_file(&reader, path);
	if (r) {
		utf8_append_escaped(ret_errors, span_from_string(path));
		strbuf_appendf(ret_errors, ": %s\n",
			r == -EFBIG ? "is too large for a file of rules" : strerror(-r));
	} else if (reader.mistakes.count) {
		config_mistakes_write(&reader.mistakes, path, ret_errors);
		r = -EINVAL;
	}
	config_mistakes_done(&reader.mistakes);
	if (!r)
		*ret_rules = TAKE(rules);
	return r;
}
