#ifndef PAM_MODULES_H
#define PAM_MODULES_H

/*
 * Keep the modules of a service loaded between conversations, from the first
 * one on. The service's file is still read anew for each.
 */
void	 modules_keep(const char *service);
/* Forget all, so that modules are loaded afresh. */
void	 modules_drop(void);

#endif
