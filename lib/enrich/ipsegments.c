/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/ipsegments.h"

#include <endian.h>

IpKey ipkey_from_addr(const IpAddr *addr)
{
	uint64_t hi, lo;
	uint32_t v4;

	if (addr->family == IP_V4) {
		memcpy(&v4, addr->bytes, sizeof(v4));
		return (IpKey){0, be32toh(v4)};
	}
	memcpy(&hi, addr->bytes, sizeof(hi));
	memcpy(&lo, addr->bytes + 8, sizeof(lo));
	return (IpKey){be64toh(hi), be64toh(lo)};
}

void ipsegments_done(IpSegments *segments)
{
	free(segments->items);
	*segments = (IpSegments){0};
}

static bool touches(const IpSegment *before, IpKey first)
{
	return !ipkey_equal(before->last, IPKEY_MAX_V6) &&
	       ipkey_equal(ipkey_next(before->last), first);
}

int ipsegments_add(IpSegments *segments, IpKey first, IpKey last, uint32_t value)
{
	IpSegment *items = segments->items;
	IpSegment *before = segments->count ? &items[segments->count - 1] : NULL;

	if (ipkey_less(last, first))
		return -EINVAL;
	/* The order of the two doesn't matter: no range was added between them. */
	if (before && before->value == value && touches(before, first) &&
		ipkey_less(segments->reach, first)) {
		before->last = segments->reach = last;
		return 0;
	}
	if (!items || segments->count == segments->size) {
		size_t size = segments->size ? segments->size * 2 : 1024;

		if (size > IPSEGMENTS_MAX)
			return -EFBIG;
		items = reallocarray(items, size, sizeof(*items));
		if (!items)
			return -ENOMEM;
		segments->items = items;
		segments->size = size;
	}
	if (segments->count) {
		if (ipkey_less(first, items[segments->count - 1].first))
			segments->unsorted = true;
		if (!ipkey_less(segments->reach, first))
			segments->overlapping = true;
	}
	if (!segments->count || ipkey_less(segments->reach, last))
		segments->reach = last;
	items[segments->count++] = (IpSegment){first, last, value};
	return 0;
}

/* The list that the sweep writes; as long as it can get, so that writing never fails. */
typedef struct Output {
	IpSegment *items;
	size_t count;
} Output;

static void output_add(Output *output, IpKey first, IpKey last, uint32_t value)
{
	IpSegment *before = output->count ? &output->items[output->count - 1] : NULL;

	if (!value)
		return;
	if (before && before->value == value && touches(before, first))
		before->last = last;
	else
		output->items[output->count++] = (IpSegment){first, last, value};
}

/* The ranges that hold the sweep's position, as a heap with the one that was added last on top. */
typedef struct Heap {
	uint32_t *items;
	size_t count;
} Heap;

static void heap_push(Heap *heap, uint32_t item)
{
	size_t at = heap->count++;

	while (at && heap->items[(at - 1) / 2] < item) {
		heap->items[at] = heap->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->items[at] = item;
}

static void heap_pop(Heap *heap)
{
	uint32_t item = heap->items[--heap->count];
	size_t at = 0, child;

	while ((child = at * 2 + 1) < heap->count) {
		if (child + 1 < heap->count && heap->items[child + 1] > heap->items[child])
			child++;
		if (heap->items[child] < item)
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	if (heap->count)
		heap->items[at] = item;
}

static int compare_start(const void *a, const void *b, void *userdata)
{
	const IpSegment *items = userdata;
	IpKey x = items[*(const uint32_t *)a].first, y = items[*(const uint32_t *)b].first;

	return ipkey_less(y, x) - ipkey_less(x, y);
}

/*
 * Goes over all ranges by their start. Each step ends where a range starts or the top one ends:
 * at most two steps a range.
 */
static void sweep(const IpSegments *segments, const uint32_t *order, Heap *heap, Output *output)
{
	const IpSegment *items = segments->items;
	size_t next = 0;
	IpKey at = IPKEY_ZERO;

	while (next < segments->count || heap->count) {
		const IpSegment *top;
		IpKey end;

		if (!heap->count)
			at = items[order[next]].first;
		while (next < segments->count && !ipkey_less(at, items[order[next]].first))
			heap_push(heap, order[next++]);
		top = &items[heap->items[0]];
		if (ipkey_less(top->last, at)) {
			heap_pop(heap);
			continue;
		}
		end = top->last;
		if (next < segments->count && !ipkey_less(end, items[order[next]].first))
			end = ipkey_previous(items[order[next]].first);
		output_add(output, at, end, top->value);
		if (ipkey_equal(end, IPKEY_MAX_V6))
			break;
		at = ipkey_next(end);
	}
}

int ipsegments_flatten(IpSegments *segments)
{
	_cleanup_free_ uint32_t *order = NULL, *heap_items = NULL;
	_cleanup_free_ IpSegment *items = NULL;
	Output output;

	if (!segments->overlapping && !segments->unsorted) {
		/*
		 * Already so, but for the values 0: what is written is never ahead of what is
		 * read.
		 */
		output = (Output){segments->items, 0};
		for (size_t i = 0; i < segments->count; i++) {
			IpSegment s = segments->items[i];

			output_add(&output, s.first, s.last, s.value);
		}
		segments->count = output.count;
		return 0;
	}
	order = reallocarray(NULL, segments->count, sizeof(*order));
	heap_items = reallocarray(NULL, segments->count, sizeof(*heap_items));
	items = reallocarray(NULL, segments->count, 2 * sizeof(*items));
	if (!order || !heap_items || !items)
		return -ENOMEM;
	for (size_t i = 0; i < segments->count; i++)
		order[i] = (uint32_t)i;
	if (segments->unsorted)
		qsort_r(order, segments->count, sizeof(*order), compare_start, segments->items);
	output = (Output){items, 0};
	sweep(segments, order, &(Heap){heap_items, 0}, &output);
	free(segments->items);
	segments->items = TAKE(items);
	segments->size = segments->count * 2;
	segments->count = output.count;
	segments->unsorted = segments->overlapping = false;
	return 0;
}
