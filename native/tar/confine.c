/* What a process that reads hostile bytes may still do. */
#include "tar.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "unknown architecture"
#endif

static const int allowed[] = {
	SYS_read, SYS_pread64, SYS_write, SYS_openat2, SYS_openat, SYS_close, SYS_dup, SYS_lseek, SYS_ftruncate, SYS_fcntl,
	SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_mkdirat, SYS_unlinkat, SYS_symlinkat, SYS_linkat, SYS_renameat2, SYS_mknodat, SYS_getdents64,
	SYS_newfstatat, SYS_fstat, SYS_statx, SYS_fstatfs,
	SYS_fchown, SYS_fchownat, SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_fgetxattr, SYS_fsetxattr, SYS_fremovexattr,
	SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex,
	SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_gettid, SYS_getpid, SYS_rt_sigprocmask, SYS_rt_sigaction,
	SYS_sysinfo, // qsort asks how much memory there is before it sorts many names
	SYS_sched_yield, SYS_getrandom, SYS_restart_syscall, SYS_exit, SYS_exit_group,
};
#define ALLOWED (sizeof allowed / sizeof allowed[0])

static void filter_system_calls(void)
{
	static struct sock_filter code[ALLOWED + 6];
	size_t n = 0;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i],
							 (unsigned char)(ALLOWED - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { (unsigned short)n, code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		fail_errno("seccomp");
}

static void drop_capabilities(void)
{
	const unsigned keep = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |
			      1u << CAP_MKNOD | 1u << CAP_SETFCAP;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { keep, keep, 0 }, { 0, 0, 0 } };
	if (syscall(SYS_capset, &header, data) != 0)
		fail_errno("capset");
}

void confine(void)
{
	drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail_errno("no_new_privs");
	struct rlimit memory = { 1u << 30, 1u << 30 };
	if (setrlimit(RLIMIT_AS, &memory) != 0)
		fail_errno("setrlimit");
	filter_system_calls();
}
