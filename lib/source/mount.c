/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/mount.h"

#include <sys/vfs.h>

/* statfs(2) and the kernel's magic.h; some are in no header. */
static const struct {
	uint32_t magic;
	const char *name;
} silent[] = {
	{0x6969, "NFS"},
	{0x517b, "SMB"},
	{0xff534d42, "CIFS"},
	{0xfe534d42, "SMB"},
	{0x65735546, "FUSE"},
	{0x01021997, "9p"},
	{0x5346414f, "AFS"},
	{0x6b414653, "AFS"},
	{0x73757245, "Coda"},
	{0x00c36400, "Ceph"},
	{0x0bd00bd0, "Lustre"},
	{0x47504653, "GPFS"},
	{0x7461636f, "OCFS2"},
	{0x01161970, "GFS2"},
	{0x19830326, "BeeGFS"},
	{0x20030528, "OrangeFS"},
	{0x786f4256, "vboxsf"},
	{0xbacbacbc, "vmhgfs"},
	{0x9fa0, "proc"},
	{0x62656572, "sysfs"},
};

const char *mount_silent_name(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		if ((uint32_t)st.f_type == silent[i].magic)
			return silent[i].name;
	return NULL;
}
