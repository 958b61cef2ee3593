/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/mmdb-check.h"

/* The types of the format's data section, by number. */
enum {
	TYPE_EXTENDED = 0,
	TYPE_POINTER = 1,
	TYPE_STRING = 2,
	TYPE_DOUBLE = 3,
	TYPE_BYTES = 4,
	TYPE_UINT16 = 5,
	TYPE_UINT32 = 6,
	TYPE_MAP = 7,
	TYPE_INT32 = 8,
	TYPE_UINT64 = 9,
	TYPE_UINT128 = 10,
	TYPE_ARRAY = 11,
	TYPE_BOOLEAN = 14,
	TYPE_FLOAT = 15,
};

/* Real records are three levels deep. */
#define DEPTH_MAX 32
#define METADATA_ITEMS_MAX 65536
#define SEPARATOR_SIZE 16

typedef struct Section {
	const uint8_t *data;
	uint32_t size;
	uint64_t *budget;
	uint8_t *checked; /* NULL: don't remember */
} Section;

typedef struct Item {
	unsigned type;
	uint32_t size;    /* bytes, or the number of elements; of a boolean its value */
	uint32_t content; /* the offset of what follows the control bytes */
	uint32_t target;  /* of a pointer */
	uint32_t next;    /* the offset behind it; for map and array that of the first element */
} Item;

static uint32_t big_endian(const uint8_t *p, unsigned n)
{
	uint32_t value = 0;

	while (n--)
		value = value << 8 | *p++;
	return value;
}

static bool read_pointer(const Section *s, uint32_t at, uint8_t control, Item *item)
{
	static const uint32_t base[] = {0, 2048, 526336, 0};
	unsigned n = (control >> 3 & 3) + 1;

	if (s->size - at < n)
		return false;
	/* The four-byte form has no use for the lowest three bits of the control byte. */
	item->target = base[n - 1] + big_endian(s->data + at, n);
	if (n < 4)
		item->target += (uint32_t)(control & 7) << 8 * n;
	item->content = at;
	item->next = at + n;
	return item->target < s->size;
}

static bool size_is_valid(const Item *item)
{
	switch (item->type) {
	case TYPE_UINT16: return item->size <= 2;
	case TYPE_UINT32:
	case TYPE_INT32: return item->size <= 4;
	case TYPE_UINT64: return item->size <= 8;
	case TYPE_UINT128: return item->size <= 16;
	case TYPE_DOUBLE: return item->size == 8;
	case TYPE_FLOAT: return item->size == 4;
	case TYPE_BOOLEAN: return item->size <= 1;
	case TYPE_STRING:
	case TYPE_BYTES:
	case TYPE_MAP:
	case TYPE_ARRAY: return true;
	default: return false;
	}
}

/* The item at an offset, without what is in it. */
static bool item_read(const Section *s, uint32_t at, Item *ret_item)
{
	static const uint32_t base[] = {29, 285, 65821};
	Item item = {0};
	uint8_t control;

	if (at >= s->size)
		return false;
	control = s->data[at++];
	item.type = control >> 5;
	if (item.type == TYPE_POINTER) {
		*ret_item = (Item){.type = TYPE_POINTER};
		return read_pointer(s, at, control, ret_item);
	}
	if (item.type == TYPE_EXTENDED) {
		if (at >= s->size || s->data[at] < TYPE_INT32 - 7)
			return false;
		item.type = s->data[at++] + 7U;
	}
	item.size = control & 31;
	if (item.size >= 29) {
		unsigned n = item.size - 28;

		if (s->size - at < n)
			return false;
		item.size = base[n - 1] + big_endian(s->data + at, n);
		at += n;
	}
	item.content = item.next = at;
	if (item.type != TYPE_MAP && item.type != TYPE_ARRAY && item.type != TYPE_BOOLEAN) {
		if (s->size - at < item.size)
			return false;
		item.next = at + item.size;
	}
	*ret_item = item;
	return size_is_valid(&item);
}

/*
 * The item at an offset, or the one that it points to; *ret_next is the offset behind the former.
 * Pointers to pointers are not allowed.
 */
static bool item_resolve(const Section *s, uint32_t at, Item *ret_item, uint32_t *ret_next)
{
	Item item;

	if (!item_read(s, at, &item))
		return false;
	*ret_next = item.next;
	if (item.type == TYPE_POINTER &&
		(!item_read(s, item.target, &item) || item.type == TYPE_POINTER))
		return false;
	*ret_item = item;
	return true;
}

static bool is_checked(const Section *s, uint32_t at)
{
	return s->checked && s->checked[at / 8] >> at % 8 & 1;
}

static bool check_item(const Section *s, uint32_t at, unsigned depth, uint32_t *ret_next);

/*
 * A cycle goes through a map or array each time, so DEPTH_MAX ends it: only what turned out sound
 * is remembered.
 */
static bool check_target(const Section *s, uint32_t at, unsigned depth)
{
	uint32_t next;
	Item item;

	if (is_checked(s, at))
		return true;
	if (!item_read(s, at, &item) || item.type == TYPE_POINTER ||
		!check_item(s, at, depth, &next))
		return false;
	if (s->checked)
		s->checked[at / 8] |= (uint8_t)(1U << at % 8);
	return true;
}

static bool check_item(const Section *s, uint32_t at, unsigned depth, uint32_t *ret_next)
{
	Item item, key;

	if (depth > DEPTH_MAX || !*s->budget || !item_read(s, at, &item))
		return false;
	--*s->budget;
	*ret_next = item.next;
	if (item.type == TYPE_POINTER)
		return check_target(s, item.target, depth);
	if (item.type != TYPE_MAP && item.type != TYPE_ARRAY)
		return true;
	at = item.next;
	for (uint32_t i = 0; i < item.size; i++) {
		if (item.type == TYPE_MAP &&
			(!item_resolve(s, at, &key, &at) || key.type != TYPE_STRING))
			return false;
		if (!check_item(s, at, depth + 1, &at))
			return false;
	}
	*ret_next = at;
	return true;
}

/* The value of a key in a map that was checked, pointer resolved; false: it has none. */
static bool map_find(const Section *s, const Item *map, const char *name, Item *ret_value)
{
	uint64_t no_budget = UINT64_MAX;
	const Section again = {s->data, s->size, &no_budget, NULL};
	uint32_t at = map->next, next;
	Item key;

	for (uint32_t i = 0; i < map->size; i++) {
		if (!item_resolve(s, at, &key, &at))
			return false;
		if (key.size == strlen(name) && !memcmp(s->data + key.content, name, key.size))
			return item_resolve(s, at, ret_value, &next);
		if (!check_item(&again, at, 0, &at))
			return false;
	}
	return false;
}

static bool find_number(
	const Section *s, const Item *map, const char *name, unsigned type, uint32_t *ret_number)
{
	Item item;

	if (!map_find(s, map, name, &item) || item.type != type)
		return false;
	*ret_number = big_endian(s->data + item.content, item.size);
	return true;
}

/*
 * Whether all elements of a map or array of the metadata are strings (libmaxminddb loses memory
 * when they are not).
 */
static bool all_strings(const Section *s, const Item *list)
{
	uint64_t n = (uint64_t)list->size * (list->type == TYPE_MAP ? 2 : 1);
	uint32_t at = list->next;
	Item item;

	while (n--)
		if (!item_resolve(s, at, &item, &at) || item.type != TYPE_STRING)
			return false;
	return true;
}

const uint8_t *mmdb_mark_find(const uint8_t *tail, size_t size)
{
	const size_t mark_size = sizeof(MMDB_MARK) - 1;
	const uint8_t *found = NULL, *at;

	while (size >= mark_size && (at = memmem(tail, size, MMDB_MARK, mark_size))) {
		found = at;
		size -= (size_t)(at + mark_size - tail);
		tail = at + mark_size;
	}
	return found;
}

static int damaged(Why *ret_why, const char *what)
{
	why_set(ret_why, "damaged: %s", what);
	return -EBADMSG;
}

static int check_metadata(const Section *s, uint32_t *ret_node_count, uint32_t *ret_record_size,
	uint32_t *ret_ip_version, Why *ret_why)
{
	uint32_t next, major;
	Item map, item;

	if (!check_item(s, 0, 0, &next) || !item_read(s, 0, &map) || map.type != TYPE_MAP)
		return damaged(ret_why, "its metadata is no map");
	if (!find_number(s, &map, "binary_format_major_version", TYPE_UINT16, &major) || major != 2)
		return damaged(ret_why, "its metadata does not say version 2");
	if (!find_number(s, &map, "node_count", TYPE_UINT32, ret_node_count) || !*ret_node_count)
		return damaged(ret_why, "its metadata has no number of nodes");
	if (!find_number(s, &map, "record_size", TYPE_UINT16, ret_record_size) ||
		(*ret_record_size != 24 && *ret_record_size != 28 && *ret_record_size != 32))
		return damaged(ret_why, "its records are not of 24, 28 or 32 bits");
	if (!find_number(s, &map, "ip_version", TYPE_UINT16, ret_ip_version) ||
		(*ret_ip_version != 4 && *ret_ip_version != 6))
		return damaged(ret_why, "its metadata says neither IPv4 nor IPv6");
	if (!map_find(s, &map, "languages", &item) || item.type != TYPE_ARRAY ||
		!all_strings(s, &item))
		return damaged(ret_why, "its metadata has no list of languages");
	if (!map_find(s, &map, "description", &item) || item.type != TYPE_MAP ||
		!all_strings(s, &item))
		return damaged(ret_why, "its metadata has no description");
	return 0;
}

int mmdb_frame_init(MmdbFrame *frame, const uint8_t *file, size_t size, Why *ret_why)
{
	size_t reach = MIN(size, MMDB_MARK_REACH);
	const uint8_t *mark = mmdb_mark_find(file + size - reach, reach), *metadata;
	uint64_t budget = METADATA_ITEMS_MAX, tree_size;
	static const uint8_t zeros[SEPARATOR_SIZE];
	uint32_t node_count, record_size, ip_version;
	int r;

	*frame = (MmdbFrame){0};
	if (!mark)
		return damaged(ret_why, "it has no metadata");
	metadata = mark + sizeof(MMDB_MARK) - 1;
	r = check_metadata(&(Section){metadata, (uint32_t)(file + size - metadata), &budget, NULL},
		&node_count, &record_size, &ip_version, ret_why);
	if (r < 0)
		return r;
	tree_size = (uint64_t)node_count * (record_size / 4);
	if (tree_size + SEPARATOR_SIZE >= (uint64_t)(mark - file) || size > UINT32_MAX)
		return damaged(ret_why, "its tree is longer than the file");
	if (memcmp(file + tree_size, zeros, sizeof(zeros)) != 0)
		return damaged(ret_why, "its data does not begin where its tree ends");
	*frame = (MmdbFrame){
		.node_count = node_count,
		.address_bits = ip_version == 4 ? 32 : 128,
		.data = file + tree_size + SEPARATOR_SIZE,
		.data_size = (uint32_t)((uint64_t)(mark - file) - tree_size - SEPARATOR_SIZE),
	};
	frame->budget = frame->data_size * 8ULL;
	frame->checked = calloc(frame->data_size / 8 + 1, 1);
	return frame->checked ? 0 : -ENOMEM;
}

void mmdb_frame_done(MmdbFrame *frame)
{
	free(frame->checked);
	*frame = (MmdbFrame){0};
}

bool mmdb_check_map(MmdbFrame *frame, uint32_t offset)
{
	const Section s = {frame->data, frame->data_size, &frame->budget, frame->checked};
	Item item;

	return item_read(&s, offset, &item) && item.type == TYPE_MAP && check_target(&s, offset, 0);
}
