/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Makes journal files of entries in systemd's export format, with systemd-journal-remote, which needs no journald. */

#include <inttypes.h>
#include <spawn.h>

#include "base/strbuf.h"
#include "scratch.h"

#define MAKER_START_US UINT64_C(1795000000000000)

static const char *const maker_programs[] = {
	"/usr/lib/systemd/systemd-journal-remote", "/lib/systemd/systemd-journal-remote"};

__attribute__((unused)) static const char *maker_program(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(maker_programs); i++)
		if (!access(maker_programs[i], X_OK))
			return maker_programs[i];
	return NULL;
}

/* Starts an entry at so many seconds after the first, in the boot with this number. */
__attribute__((unused)) static void maker_begin(StrBuf *sb, double at_s, unsigned boot)
{
	uint64_t us = (uint64_t)(at_s * 1000000);

	strbuf_appendf(sb,
		"__REALTIME_TIMESTAMP=%" PRIu64 "\n__MONOTONIC_TIMESTAMP=%" PRIu64
		"\n_BOOT_ID=%032x\n_MACHINE_ID=000000000000000000000000000000aa\n",
		MAKER_START_US + us, us + 1, boot);
}

/* A field of any bytes. */
__attribute__((unused)) static void maker_field(
	StrBuf *sb, const char *name, const void *value, size_t len)
{
	strbuf_appendf(sb, "%s\n", name);
	for (int i = 0; i < 8; i++)
		strbuf_append_char(sb, (char)((uint64_t)len >> (8 * i)));
	strbuf_append(sb, value, len);
	strbuf_append_char(sb, '\n');
}

__attribute__((unused)) static void maker_end(StrBuf *sb)
{
	strbuf_append_char(sb, '\n');
}

/* An entry like Postfix's, whose message ends with the number. */
__attribute__((unused)) static void maker_smtpd(
	StrBuf *sb, double at_s, unsigned boot, unsigned number)
{
	maker_begin(sb, at_s, boot);
	strbuf_appendf(sb,
		"_HOSTNAME=mx1\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/smtpd\n_UID=101\n"
		"_TRANSPORT=syslog\nMESSAGE=warning: unknown[192.0.2.7]: SASL LOGIN authentication "
		"failed: UGFzc3dvcmQ6, sasl_username=u%u\n",
		number);
	maker_end(sb);
}

/* Appends the entries to the journal file, which is made where there is none. */
__attribute__((unused)) static void maker_write(const char *journal, const StrBuf *entries)
{
	char *const argv[] = {(char *)(uintptr_t)maker_program(), (char *)(uintptr_t) "-o",
		(char *)(uintptr_t)journal, (char *)(uintptr_t) "export.tmp", NULL};
	char *const environment[] = {(char *)(uintptr_t) "SYSTEMD_LOG_LEVEL=err", NULL};
	int status;
	pid_t pid;

	MUST(!strbuf_error(entries));
	scratch_write("export.tmp", entries->data, entries->len);
	MUST(!posix_spawn(&pid, argv[0], NULL, NULL, argv, environment));
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status) && !WEXITSTATUS(status));
	MUST(!unlink("export.tmp"));
}
