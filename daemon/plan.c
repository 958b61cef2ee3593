/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/plan.h"

#include <stdio.h>

#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/plan-step.h"
#include "report/display.h"

typedef struct Step {
	char *text; /* NULL: not shown */
	PlanApply *apply;
	PlanUndo *undo;
	void (*done)(void *userdata);
	void *userdata;
} Step;

struct Plan {
	Step *steps;
	size_t count;
	size_t end; /* the first that is not taken back */
};

int plan_new(Plan **ret_plan)
{
	Plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->end = SIZE_MAX;
	*ret_plan = plan;
	return 0;
}

void plan_free(Plan *plan)
{
	if (!plan)
		return;
	for (size_t i = plan->count; i > 0; i--) {
		Step *step = &plan->steps[i - 1];

		if (step->done)
			step->done(step->userdata);
		free(step->text);
	}
	free(plan->steps);
	free(plan);
}

int plan_take_step(Plan *plan, char *text, PlanApply *apply, PlanUndo *undo,
	void (*done)(void *userdata), void *userdata)
{
	Step *steps = array_grow(plan->steps, plan->count, sizeof(*steps));

	if (!steps) {
		free(text);
		if (done)
			done(userdata);
		return -ENOMEM;
	}
	plan->steps = steps;
	steps[plan->count++] = (Step){text, apply, undo, done, userdata};
	return 0;
}

int plan_add_step(Plan *plan, const char *text, PlanApply *apply, PlanUndo *undo, void *userdata)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	return plan_take_step(plan, copy, apply, undo, NULL, userdata);
}

void plan_add_end(Plan *plan)
{
	plan->end = plan->count;
}

size_t plan_count(const Plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++)
		n += plan->steps[i].text != NULL;
	return n;
}

void plan_append(const Plan *plan, StrBuf *sb)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].text) {
			strbuf_appendf(sb, "  %2zu. ", ++n);
			display_append_escaped(sb, span_from_string(plan->steps[i].text));
			strbuf_append_char(sb, '\n');
		}
}

static void say(size_t n, const char *text, const char *end)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

	display_append_escaped(&line, span_from_string(text));
	printf("  %2zu. %s%s", n, strbuf_text(&line), end);
	(void)fflush(stdout);
}

static void take_back(Plan *plan, size_t done)
{
	printf("Taking back what was done ...\n");
	(void)fflush(stdout);
	for (; done; done--)
		if (plan->steps[done - 1].undo)
			plan->steps[done - 1].undo(plan->steps[done - 1].userdata);
}

int plan_apply(Plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const Step *step = &plan->steps[i];
		Why why = {""};
		int r;

		if (i <= plan->end && interrupt_is_pending()) {
			putchar('\n');
			take_back(plan, i);
			return PLAN_INTERRUPTED;
		}
		if (step->text)
			say(++n, step->text, "\n");
		r = step->apply ? step->apply(step->userdata, &why) : 0;
		if (!r)
			continue;
		if (*why.text || r < 0)
			log_message(r < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s",
				*why.text ? why.text : strerror(-r));
		if (r < 0 && i >= plan->end)
			return PLAN_FAILED;
		/* A step that failed takes back for itself what it had begun. */
		if (r < 0) {
			take_back(plan, i);
			return interrupt_is_pending() ? PLAN_INTERRUPTED : PLAN_TAKEN_BACK;
		}
	}
	if (plan->end >= plan->count && interrupt_is_pending()) {
		take_back(plan, plan->count);
		return PLAN_INTERRUPTED;
	}
	return 0;
}
