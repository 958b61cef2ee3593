/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/file.h"
#include "daemon/config-option.h"

struct Settings {
	Config *scratch; /* where a value becomes one of its type */
	char **values;   /* by option, in libconfig's syntax; NULL: the default */
};

static char *format_dup(const ConfigOption *option, const Config *config)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	config_option_format(option, config, &sb);
	return strbuf_take(&sb);
}

/* What the option is in config becomes what it is set to. 0 or -ENOMEM. */
static int keep(Settings *settings, const ConfigOption *option, const Config *config)
{
	char **value = &settings->values[option - config_options];
	_cleanup_free_ char *text = format_dup(option, config), *fallback = NULL;

	if (!text || config_option_set_fallback(option, settings->scratch) < 0)
		return -ENOMEM;
	fallback = format_dup(option, settings->scratch);
	if (!fallback)
		return -ENOMEM;
	free(*value);
	*value = strcmp(text, fallback) != 0 ? TAKE(text) : NULL;
	return 0;
}

int settings_new(const Config *config, Settings **ret_settings)
{
	_cleanup_(settings_freep) Settings *settings = calloc(1, sizeof(*settings));
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r = 0;

	if (!settings)
		return -ENOMEM;
	settings->values = calloc(config_option_count, sizeof(*settings->values));
	if (!settings->values || config_load("/dev/null", &settings->scratch, &errors) < 0)
		return -ENOMEM;
	for (size_t i = 0; config && i < config_option_count && !r; i++)
		if (config->lines[i])
			r = keep(settings, &config_options[i], config);
	if (!r)
		*ret_settings = TAKE(settings);
	return r;
}

void settings_free(Settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; settings->values && i < config_option_count; i++)
		free(settings->values[i]);
	free(settings->values);
	config_free(settings->scratch);
	free(settings);
}

int settings_set_value(Settings *settings, const char *group, const char *key,
	const ConfigValue *value, Why *ret_why)
{
	const ConfigOption *option = config_option_find(group, key, NULL);
	_cleanup_(config_freep) Config *config = NULL;
	_cleanup_strbuf_ StrBuf errors = STRBUF_INIT;
	int r;

	if (config_load("/dev/null", &config, &errors) < 0)
		return -ENOMEM;
	r = config_option_set(option, config, value, ret_why);
	return r ? r : keep(settings, option, config);
}

int settings_set(Settings *settings, const char *group, const char *key, const char *const *texts,
	size_t count, Why *ret_why)
{
	_cleanup_free_ const char **copies = calloc(count + 1, sizeof(*copies));
	ConfigValue value = {
		.kind = count == 1 ? CONFIG_VALUE_TEXT : CONFIG_VALUE_TEXTS,
		.text_count = count,
	};

	if (!copies)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		copies[i] = texts[i];
	value.texts = copies;
	return settings_set_value(settings, group, key, &value, ret_why);
}

bool settings_equal(const Settings *a, const Settings *b)
{
	for (size_t i = 0; i < config_option_count; i++)
		if (!a->values[i] != !b->values[i] ||
			(a->values[i] && strcmp(a->values[i], b->values[i]) != 0))
			return false;
	return true;
}

void settings_append(const Settings *settings, StrBuf *sb)
{
	const char *group = NULL;

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];

		if (!settings->values[i])
			continue;
		if (!group || strcmp(group, option->group) != 0) {
			strbuf_appendf(sb, "%s# %s\n%s: {\n", group ? "};\n\n" : "",
				config_group_find(option->group, NULL)->help, option->group);
			group = option->group;
		}
		strbuf_append_string(sb, "\t# ");
		config_option_describe(option, sb);
		strbuf_appendf(sb, "\n\t%s = %s;\n", option->key, settings->values[i]);
	}
	if (group)
		strbuf_append_string(sb, "};\n");
}

/* The errors begin with the name of a file that nobody knows. */
static void rename_file(StrBuf *errors, const char *path)
{
	_cleanup_strbuf_ StrBuf renamed = STRBUF_INIT;
	const char *line = strbuf_text(errors);
	size_t len = strlen(path);

	while (*line) {
		size_t n = strcspn(line, "\n");

		if (!strncmp(line, path, len)) {
			size_t place = len + strcspn(line + len, " ");

			strbuf_append_string(&renamed, "setup:");
			strbuf_append(&renamed, line + place, n - place);
		} else {
			strbuf_append(&renamed, line, n);
		}
		strbuf_append_char(&renamed, '\n');
		line += n + (line[n] == '\n');
	}
	strbuf_reset(errors);
	strbuf_append(errors, strbuf_text(&renamed), renamed.len);
}

int settings_load(const Settings *settings, Config **ret_config, StrBuf *ret_errors)
{
	_cleanup_close_ int fd = memfd_create("maillogsentinel.conf", MFD_CLOEXEC);
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	char path[64];
	int r;

	if (fd < 0)
		return -errno;
	settings_append(settings, &text);
	r = strbuf_error(&text) ? strbuf_error(&text) : file_write_full(fd, text.data, text.len);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(path, ret_config, ret_errors);
	if (r < 0)
		rename_file(ret_errors, path);
	return r;
}
