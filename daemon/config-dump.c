/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-option.h"

void config_dump(const Config *config, StrBuf *sb)
{
	const char *group = NULL;
	size_t group_at = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];

		if (!group || strcmp(group, option->group) != 0) {
			strbuf_appendf(sb, "%s# %s\n%s: {\n", group ? "};\n\n" : "",
				config_groups[group_at].help, option->group);
			group = option->group;
			group_at++;
		}
		strbuf_append_string(sb, "\t# ");
		config_option_describe(option, sb);
		strbuf_appendf(sb, "\n\t%s = ", option->key);
		config_option_format(option, config, sb);
		strbuf_append_string(sb, ";\n");
	}
	strbuf_append_string(sb, "};\n");
}
