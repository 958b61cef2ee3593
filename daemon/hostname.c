/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/hostname.h"

#include <limits.h>
#include <netdb.h>

/* Whether it is the name with a domain behind it. */
static bool is_full(const char *full, const char *name)
{
	size_t len = strlen(name);

	return !strncasecmp(full, name, len) && full[len] == '.' && full[len + 1];
}

char *hostname_dup(void)
{
	char name[HOST_NAME_MAX + 1] = "";
	char *found = NULL;
	const struct hostent *host;

	if (gethostname(name, sizeof(name)) < 0 || !*name)
		return strdup("localhost");
	name[sizeof(name) - 1] = '\0';
	if (strchr(name, '.'))
		return strdup(name);
	/* This reads files alone, where getaddrinfo(3) would wait for a name server. */
	sethostent(0);
	while (!found && (host = gethostent())) {
		if (is_full(host->h_name, name))
			found = strdup(host->h_name);
		for (char **alias = host->h_aliases; !found && *alias; alias++)
			if (is_full(*alias, name))
				found = strdup(*alias);
	}
	endhostent();
	return found ? found : strdup(name);
}
