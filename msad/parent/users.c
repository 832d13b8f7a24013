/*
 * The users that children become, looked up once at the start: their own roots
 * have no name service. No two programs share a user.
 */

#include <sys/types.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "msad/parent/process.h"

static struct {
	const char	*name;
	uid_t		 uid;
	gid_t		 gid;
} users[ROLE_MAX] = {
	[ROLE_FRONTEND] = { "_msad", 0, 0 },
	[ROLE_AUTH] = { "_msada", 0, 0 },
	[ROLE_KEYS] = { "_msadk", 0, 0 },
	[ROLE_QUEUE] = { "_msadq", 0, 0 },
	[ROLE_RELAY] = { "_msadr", 0, 0 },
	[ROLE_RESOLVER] = { "_msadn", 0, 0 },
	[ROLE_CONTROL] = { "_msadc", 0, 0 },
	[ROLE_LOOKUP] = { "_msadl", 0, 0 }
};

int
users_find(FILE *errors)
{
	struct passwd	*pw;
	size_t		 i, j;
	int		 ret = 0;

	for (i = 0; i < ROLE_MAX; i++) {
		if (users[i].name == NULL)
			continue;	/* msad and pam stay root */
		if ((pw = getpwnam(users[i].name)) == NULL) {
			fprintf(errors, "user %s: not found\n", users[i].name);
			ret = -1;
			continue;
		}
		users[i].uid = pw->pw_uid;
		users[i].gid = pw->pw_gid;
		if (pw->pw_uid == 0 || pw->pw_gid == 0) {
			fprintf(errors, "user %s: must not be root\n",
			    users[i].name);
			ret = -1;
		}
		for (j = 0; j < i; j++)
			if (users[j].name != NULL && users[i].uid != 0 &&
			    users[j].uid == users[i].uid) {
				fprintf(errors, "users %s and %s: one id\n",
				    users[j].name, users[i].name);
				ret = -1;
			}
	}
	return ret;
}

uid_t
users_uid(enum ipc_role role)
{
	return users[role].uid;
}

gid_t
users_gid(enum ipc_role role)
{
	return users[role].gid;
}

uint8_t
users_name(uid_t uid, const char **name)
{
	const struct passwd	*pw;

	errno = 0;
	if ((pw = getpwuid(uid)) == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ? 1 : 2;
	if (*pw->pw_name == '\0' || strlen(pw->pw_name) > IPC_USER_MAX)
		return 1;
	*name = pw->pw_name;
	return 0;
}
