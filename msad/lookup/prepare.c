/*
 * The start of the libraries of msad-lookup: before the sandbox, as the
 * dropped user in the empty root. libldap asks for the host's name, by DNS if
 * it must, and reads its configuration at its first use. Nothing of that is
 * needed here: it gets no configuration, and no descriptor to ask with.
 */
#include <sys/resource.h>

#include <ldap.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/log.h"

#include "prepare.h"
#include "vfs.h"

#define HEAP_MAX	(32 * 1024 * 1024)	/* octets, of SQLite */

static int
prepare_ldap(void)
{
	struct rlimit	 old, none;
	LDAP		*ld = NULL;
	int		 version, ret;

	if (setenv("LDAPNOINIT", "1", 1) == -1 ||
	    getrlimit(RLIMIT_NOFILE, &old) == -1)
		return -1;
	none = old;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none) == -1)
		return -1;
	ret = ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version) ==
	    LDAP_OPT_SUCCESS && ldap_initialize(&ld, NULL) == LDAP_SUCCESS ?
	    0 : -1;
	if (ld != NULL)
		ldap_unbind_ext(ld, NULL, NULL);
	return setrlimit(RLIMIT_NOFILE, &old) == -1 ? -1 : ret;
}

int
lookup_prepare(void)
{
	if (prepare_ldap() == -1) {
		log_err("event=ldap-start");
		return -1;
	}
	if (sqlite3_initialize() != SQLITE_OK || vfs_init() == -1) {
		log_err("event=sqlite-start");
		return -1;
	}
	sqlite3_hard_heap_limit64(HEAP_MAX);
	return 0;
}
