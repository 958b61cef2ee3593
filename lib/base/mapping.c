/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mapping.h"

#include <signal.h>
#include <sys/mman.h>

struct Mapping {
	uint8_t *volatile data; /* NULL: free */
	volatile size_t size;
};

/* A signal's handler has nothing but globals. */
static Mapping mappings[MAPPINGS_MAX];
static size_t mapping_count;
static struct sigaction former;

static const Mapping *find(const void *address)
{
	const uint8_t *at = address;

	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (mappings[i].data && at >= mappings[i].data &&
			at < mappings[i].data + mappings[i].size)
			return &mappings[i];
	return NULL;
}

static void handle(int number, siginfo_t *info, void *context)
{
	const Mapping *mapping = info->si_code > 0 ? find(info->si_addr) : NULL;
	int saved = errno;

	/* The instruction is then done again: with zeros, or to end as it would have without us. */
	if (!mapping || mmap(mapping->data, mapping->size, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
				0) == MAP_FAILED) {
		(void)sigaction(SIGBUS, &former, NULL);
		if (info->si_code <= 0)
			(void)raise(SIGBUS);
	}
	errno = saved;
}

static int start_handling(void)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	(void)sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, &former) < 0 ? -errno : 0;
}

int mapping_new(int fd, size_t size, Mapping **ret_mapping)
{
	Mapping *mapping = mappings;
	void *data;
	int r;

	while (mapping < mappings + MAPPINGS_MAX && mapping->data)
		mapping++;
	if (mapping == mappings + MAPPINGS_MAX)
		return -EMFILE;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	r = mapping_count ? 0 : start_handling();
	if (r < 0) {
		(void)munmap(data, size);
		return r;
	}
	mapping_count++;
	mapping->size = size;
	mapping->data = data;
	*ret_mapping = mapping;
	return 0;
}

void mapping_free(Mapping *mapping)
{
	void *data;

	if (!mapping)
		return;
	data = mapping->data;
	mapping->data = NULL;
	(void)munmap(data, mapping->size);
	if (!--mapping_count)
		(void)sigaction(SIGBUS, &former, NULL);
}

const uint8_t *mapping_data(const Mapping *mapping)
{
	return mapping->data;
}
