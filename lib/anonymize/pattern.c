/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one search, from all places that it starts at; some tenths of a second at the very most. */
#define STEPS_MAX ((size_t)20000000)
#define HEAP_KIB_MAX 8192 /* of the interpreter, where there is no machine code */
#define STACK_MIN ((size_t)32 << 10)
#define STACK_MAX ((size_t)512 << 10)

struct Pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	uint32_t last_group;
	size_t offset; /* of the last search */
	const char *name[PATTERN_GROUPS_MAX + 1];
};

void pattern_free(Pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_jit_stack_free(pattern->stack);
	pcre2_match_context_free(pattern->context);
	pcre2_match_data_free(pattern->data);
	pcre2_code_free(pattern->code);
	free(pattern);
}

/* The table of names: entries of a size, each the group's number in two bytes and its name with a NUL. */
static void read_names(Pattern *pattern)
{
	uint32_t count = 0, size = 0;
	PCRE2_SPTR table = NULL;

	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &pattern->last_group);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &count);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32_t i = 0; i < count; i++, table += size) {
		size_t group = (size_t)table[0] << 8 | table[1];

		if (group <= PATTERN_GROUPS_MAX)
			pattern->name[group] = (const char *)table + 2;
	}
}

static int compile(Pattern *pattern, const char *text, bool whole, Why *ret_why)
{
	/* What the library was built with must not matter. */
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR message[256] = "";
	PCRE2_SIZE at = 0;
	uint32_t options =
		PCRE2_DUPNAMES | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	int error = 0;

	/* Now, not at the search: the machine code would not be used then. */
	if (whole)
		options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
	if (!context)
		return -ENOMEM;
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	(void)pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
	pattern->code =
		pcre2_compile((PCRE2_SPTR)text, strlen(text), options, &error, &at, context);
	pcre2_compile_context_free(context);
	if (pattern->code)
		return 0;
	(void)pcre2_get_error_message(error, message, sizeof(message));
	if (at < strlen(text))
		why_set(ret_why, "%s before \"%.20s\"", (const char *)message, text + at);
	else
		why_set(ret_why, "%s at its end", (const char *)message);
	return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
}

int pattern_new(const char *text, bool whole, Pattern **ret_pattern, Why *ret_why)
{
	_cleanup_(pattern_freep) Pattern *pattern = calloc(1, sizeof(*pattern));
	int r;

	if (!pattern)
		return -ENOMEM;
	if (strlen(text) > PATTERN_TEXT_MAX) {
		why_set(ret_why, "longer than %zu bytes", PATTERN_TEXT_MAX);
		return -EINVAL;
	}
	r = compile(pattern, text, whole, ret_why);
	if (r)
		return r;
	read_names(pattern);
	if (pattern->last_group > PATTERN_GROUPS_MAX) {
		why_set(ret_why, "more than %zu groups", PATTERN_GROUPS_MAX);
		return -EINVAL;
	}
	pattern->context = pcre2_match_context_create(NULL);
	pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	if (!pattern->context || !pattern->data)
		return -ENOMEM;
	(void)pcre2_set_heap_limit(pattern->context, HEAP_KIB_MAX);
	if (!pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE)) {
		pattern->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
		if (!pattern->stack)
			return -ENOMEM;
		pcre2_jit_stack_assign(pattern->context, NULL, pattern->stack);
	}
	*ret_pattern = TAKE(pattern);
	return 0;
}

size_t pattern_last_group(const Pattern *pattern)
{
	return pattern->last_group;
}

const char *pattern_group_name(const Pattern *pattern, size_t group)
{
	return group <= PATTERN_GROUPS_MAX ? pattern->name[group] : NULL;
}

int pattern_search(Pattern *pattern, Span subject, size_t offset, bool not_empty)
{
	/* The library counts anew at each place that it starts at. */
	size_t steps = STEPS_MAX / (subject.len - offset + 20);
	int r;

	pattern->offset = offset;
	if (subject.len > PATTERN_SUBJECT_MAX)
		return PATTERN_GAVE_UP;
	(void)pcre2_set_match_limit(pattern->context, (uint32_t)steps);
	r = pcre2_match(pattern->code, (PCRE2_SPTR)subject.data, subject.len, offset,
		not_empty ? PCRE2_NOTEMPTY_ATSTART : 0, pattern->data, pattern->context);
	if (r >= 0)
		return 0;
	return r == PCRE2_ERROR_NOMATCH ? PATTERN_NONE : PATTERN_GAVE_UP;
}

bool pattern_group(const Pattern *pattern, size_t group, size_t *ret_start, size_t *ret_end)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(pattern->data);

	if (group > pattern->last_group || at[2 * group] == PCRE2_UNSET ||
		at[2 * group] >= at[2 * group + 1])
		return false;
	*ret_start = at[2 * group];
	*ret_end = at[2 * group + 1];
	return true;
}

size_t pattern_end(const Pattern *pattern)
{
	/* \K in an assertion can put the end before the start. */
	return MAX((size_t)pcre2_get_ovector_pointer(pattern->data)[1], pattern->offset);
}
