#!/usr/bin/perl
# P1, P7, P-dur-1, P-dur-2, P-dur-3: system calls of the real msad-queue and
# its flusher killed, failed or cut short by strace(1) under load, at the N-th
# call; then all that got its 250 arrives, whole, and what arrives twice is
# explained by a kill. Each injection must have happened: strace's own log
# says so, or the round fails.
#
# seccomp looks at the call after strace has: it sees getpid(2), a call that
# is allowed, in the place of the one that fails.
# MSAD_ROUNDS: how many more, chosen at random (default 0). MSAD_SEED.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Load;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time);

plan(skip_all => "$_ is not built") for Msad::Load::missing();
plan(skip_all => 'no strace') if system('strace -V >/dev/null 2>&1') != 0;
plan(skip_all => 'strace may not trace here') if system('strace -o /dev/null ' .
    '-e inject=getuid:error=EIO:syscall=getpid true >/dev/null 2>&1') != 0;
plan(skip_all => 'sanitizers trace as well') if $Msad::BUILD =~ /asan/;

my $seed = $ENV{MSAD_SEED} // int(rand(1e9));
diag("seed $seed");
srand($seed);
my $load = Msad::Load->new;
my $d = Msad->new(start => 0, level => 'notice',
    relay => qq{relay "sink" { host "127.0.0.1" port $load->{port} retry { 1s } }\n},
    match => qq{match from auth sender own relay "sink"\n},
    extra => "limit session { mails 1000000 }\n");
{
	# small, so that segments are: more of them are made and renamed
	my ($uid, $gid) = (getpwnam('_msadq'))[2, 3];
	$d->{mounted} = system("mount -t tmpfs -o size=60m,mode=0700,uid=$uid,gid=$gid " .
	    "tmpfs $d->{spool} 2>/dev/null") == 0;
}

# A script in msad-queue's place: preloads what makes short writes, and stops
# when it is asked to, so that strace is there from the first call on.
my $short = system('sh', '-c', 'exec cc -shared -fPIC -o "$1" "$2" 2>&1', 'sh',
    "$d->{dir}/fault.so", "$FindBin::Bin/fault.c") == 0;
spew("$d->{dir}/fault", "\0" x 4096, 0666);
{
	my $dir = $d->{libexec} = "$d->{dir}/libexec";
	mkdir $dir;
	symlink($_, "$dir/" . s{.*/}{}r) for glob("$Msad::BUILD/msad-*");
	unlink("$dir/msad-queue");
	my $preload = $short ? "export LD_PRELOAD='$d->{dir}/fault.so' MSAD_FAULT='$d->{dir}/fault'" : ':';
	spew("$dir/msad-queue", "#!/bin/sh\n[ ! -e '$d->{dir}/stop' ] || { " .
	    "echo \$\$ >'$d->{dir}/stopped'; kill -STOP \$\$; }\n" .
	    "$preload\nexec '$Msad::BUILD/msad-queue' \"\$@\"\n", 0755);
}
$d->start;
$load->begin($d, { size => 4000, connections => 5 }, { size => 200_000, connections => 1 });
ok($load->moves(100), 'messages flow');

# Every so manieth pwrite is short from now on, till the end.
if ($short) {
	open(my $f, '+<:raw', "$d->{dir}/fault") or die;
	sysseek($f, 2, 0);
	syswrite($f, chr(7));
	close($f);
}

my $trace = "$d->{dir}/trace";

sub queue_pids {
	my ($queue) = grep { $_->{name} eq 'msad-queue' && $_->{ppid} == $d->{pid} }
	    $d->children or return;
	my ($flusher) = grep { $_->{ppid} == $queue->{pid} } $d->children or return;
	return { queue => $queue->{pid}, flusher => $flusher->{pid} };
}

# strace at pid; its own pid once it is there.
sub attach {
	my ($pid, $calls, $what, $when) = @_;
	unlink($trace, "$trace.err");
	my $s = fork() // die;
	if ($s == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDERR, '>', "$trace.err");
		$what = $what eq 'KILL' ? 'signal=KILL' : "error=$what:syscall=getpid";
		{ exec('strace', '-y', '-s', 8, '-o', $trace, '-p', $pid, '-e', "trace=$calls",
		    '-e', "inject=$calls:$what:when=$when"); }
		POSIX::_exit(127);
	}
	wait_for { slurp("$trace.err") =~ /attached/ } or diag(slurp("$trace.err"));
	return $s;
}

sub detach {
	my ($s) = @_;
	kill('INT', $s);
	wait_for { waitpid($s, WNOHANG) == $s } and return;
	kill('KILL', $s);
	waitpid($s, 0);
}

# Has it happened? What strace says of the call that was not done.
sub fired {
	my ($what) = @_;
	my $t = slurp($trace);
	return $t =~ /\+\+\+ killed by SIGKILL/ if $what eq 'KILL';
	return $t =~ /\(INJECTED\)\n/;
}

sub gone {
	my ($deadline) = @_;
	my $gone = wait_for { waitpid($d->{pid}, WNOHANG) == $d->{pid} } $deadline;
	$d->{pid} = undef if $gone;
	return $gone;
}

# What the log says since then, without what clients were told.
sub log_since { return join("\n", grep { !/event=refused/ } split(/\n/, substr($d->log, $_[0]))) . "\n" }

sub tail { my @l = split(/\n/, $_[0]); return join("\n", splice(@l, @l > 30 ? -30 : 0)) }

my %counts;

# Said to be accepting, should it have stopped.
sub accepting {
	return wait_for { my @l = $d->log =~ /event=(spool-stopped|spool-accepting|started)/g;
	    $l[-1] ne 'spool-stopped' };
}

# One injection into the running daemon.
sub round {
	my ($who, $calls, $what, $when) = @_;
	my $name = "$who: $calls: $what at $when";
	my $pid = queue_pids() or return fail("$name: it runs");
	my ($from, $at) = (time, length $d->log);
	# without the next hop the queue grows: files are made for it
	$load->hop('STOP') if $calls =~ /fallocate/;
	my $s = attach($pid->{$who}, $calls, $what, $when);
	my $fired = wait_for { fired($what) };
	$load->hop('CONT');
	my $ok = ok($fired, "$name: it is done") || diag(slurp($trace) =~ /(.{0,2000})\z/s);
	if ($what eq 'KILL') {
		$ok &&= ok(gone(), "$name: the family ends");
		detach($s);
		$d->kill_all if $d->{pid};
		$load->broke($from - 1, time + 1);
		$d->start;
	} elsif ($when =~ /\+$/) {
		$ok &&= persistent($name, $what, $at);
		detach($s);
	} else {
		# it goes on; strace still looks at what is flushed next
		$ok &&= ok($load->moves(50), "$name: messages flow meanwhile");
		detach($s);
		$ok &&= not_again($name) if $who eq 'flusher';
	}
	unlike(slurp($trace), qr/SIGSYS/, "$name: the sandbox has nothing against it");
	ok($load->moves(20, 30), "$name: P7 messages flow afterwards") or diag(tail(log_since($at)));
	ok(accepting(), "$name: P8 and it says that they may");
	$counts{$what}++;
	return if $what eq 'KILL' || $calls !~ /pwrite|sync/ || $what eq 'EINTR' && $who eq 'queue';
	# the body of a message that was going to be refused anyhow needs no word
	return if slurp($trace) =~ m{/spool/(?:bodies/[0-9a-f]+|scratch.*)>.*\(INJECTED\)};
	like(log_since($at), qr/event=(?:spool-damage|spool-change|not-stored|spool-stopped)\b/,
	    "$name: P8 the log says so") or diag(slurp($trace) =~ /(.*\(INJECTED\))/);
}

# A fault that stays: refused with the right code, the reason in the log.
sub persistent {
	my ($name, $what, $at) = @_;
	my $code = $what eq 'ENOSPC' ? 452 : 451;
	my $text = $what eq 'ENOSPC' ? 'No space left' : 'Input/output error';
	my $ok = wait_for { log_since($at) =~ /event=spool-stopped reason="[^"]*$text/ };
	ok($ok, "$name: P8 acceptance stops, and the log says why") or diag(tail(log_since($at)));
	my $c = $d->session(0) or return fail("$name: a session");
	my $u = $d->account(0);
	my $r = $c->cmd("MAIL FROM:<$u->{address}>");
	is($r->{code}, $code, "$name: P-dur-3 MAIL gets $code");
	my $n = $load->accepted;
	$r = $c->cmd('NOOP') for 1 .. 20;
	is($load->accepted, $n, "$name: P1 and nobody a 250");
	$c->close;
	return $ok && $r->{code} == 250;
}

# What could not be flushed is never flushed again under that name, for the
# kernel has marked those pages clean.
sub not_again {
	my ($name) = @_;
	my @l = split(/\n/, slurp($trace));
	my %bad;
	my @again = grep {
		my ($call, $path) = /^(\w+)\(\d+<(.*?)>/;
		my $again = $call && $call eq 'fdatasync' && $bad{$path};
		$bad{$path} = 1 if $call && /\(INJECTED\)$/;
		$again && $path =~ m{/log/[0-9a-f]{16}$};
	} @l;
	return is("@again", '', "$name: P1 no flush is tried again");
}

# And one while it starts on what a kill left behind: it starts or says why
# not, and the next start finds all.
sub start_round {
	my ($calls, $what, $when) = @_;
	my $name = "start: $calls: $what at $when";
	my $at = time;
	# something to be read
	$load->hop('STOP') if $calls =~ /pread/;
	$load->moves(300) if $calls =~ /pread/;
	$d->kill_all;
	my $log = length $d->log;
	unlink("$d->{dir}/stopped");
	spew("$d->{dir}/stop", '');
	local $d->{no_wait} = 1;
	$d->start;
	my $pid;
	wait_for { ($pid) = slurp("$d->{dir}/stopped") =~ /^(\d+)\n/; $pid &&
	    (Msad::proc_stat($pid))[2] =~ /^[Tt]/ } or return fail("$name: it waits");
	unlink("$d->{dir}/stop");
	my $s = attach($pid, $calls, $what, $when);
	kill('CONT', $pid);
	my $end = '';
	wait_for { $end = fired($what) ? 'fired' : log_since($log) =~ /event=recovered/ ?
	    'started' : '' };
	is($end, 'fired', "$name: it is done") or diag(slurp($trace) =~ /(.{0,2000})\z/s);
	# up, or ended with a word about it
	my $up = wait_for {
		return 'ended' if gone(0);
		return 'up' if log_since($log) =~ /event=started/ && $load->moves(1, 1);
	};
	ok($up, "$name: it is up or has ended") or diag(tail(log_since($log)));
	like(log_since($log), qr/event=(?:spool|child-died|fail-closed)/, "$name: P8 and says why")
	    if ($up // '') eq 'ended';
	detach($s);
	$d->{no_wait} = 0;
	$d->kill_all if $d->{pid};
	$load->broke($at - 2, time + 1);
	$d->start;
	ok($load->moves(20, 30), "$name: P7 all is well at the next start") or diag(tail(log_since($log)));
	$load->hop('CONT');
	$counts{"start $what"}++;
}

sub n { return 1 + int(rand($_[0])) }

my @plan = (
	[qw(queue pwrite64 KILL), n(80)], [qw(queue pwrite64 KILL), n(80)],
	[qw(queue pwrite64 EIO), n(40)], [qw(queue pwrite64 EIO 5+)],
	[qw(queue pwrite64 ENOSPC), n(40)], [qw(queue pwrite64 ENOSPC 3+)],
	[qw(queue pwrite64 EINTR 2+2)],
	[qw(queue openat KILL), n(8)], [qw(queue openat EIO), n(8)],
	[qw(queue openat ENOSPC), n(8)], [qw(queue openat EINTR), n(8)],
	[qw(queue renameat KILL), n(2)], [qw(queue renameat EIO 1)],
	[qw(queue renameat ENOSPC 1)], [qw(queue renameat EINTR 1)],
	[qw(queue unlinkat KILL), n(6)], [qw(queue unlinkat EIO), n(6)],
	[qw(queue fallocate KILL 1)], [qw(queue fallocate EIO 1)],
	[qw(queue fallocate ENOSPC 1)], [qw(queue fallocate EINTR 1)],
	[qw(queue pread64 EIO), n(20)],
	[qw(flusher fdatasync KILL), n(80)], [qw(flusher fdatasync EIO), n(40)],
	[qw(flusher fdatasync EIO 4+)], [qw(flusher fdatasync EINTR), n(40)],
	[qw(flusher fdatasync ENOSPC), n(40)],
	[qw(flusher fsync KILL), n(5)], [qw(flusher fsync EIO), n(5)],
	['flusher', 'fdatasync,fsync', 'EIO', n(40)],
);
my @starts = (
	['pwrite64', 'KILL', 1], ['pwrite64', 'EIO', 1], ['pwrite64', 'ENOSPC', 1],
	['fdatasync,fsync', 'KILL', n(3)], ['fdatasync,fsync', 'EIO', n(3)],
	['renameat', 'KILL', 1], ['renameat', 'EIO', 1],
	['getdents64', 'EIO', 1], ['pread64', 'EIO', 7 + n(6)], ['pread64', 'EIO', '9+'],
);

round(@$_) for @plan;
start_round(@$_) for @starts;
for (1 .. $ENV{MSAD_ROUNDS} // 0) {
	if (rand() < 0.2) {
		start_round(@{ $starts[rand @starts] });
		next;
	}
	my @r = @{ $plan[rand @plan] };
	$r[3] = n($r[1] =~ /pwrite|fdatasync/ ? 150 : $r[1] =~ /rename|fallocate/ ? 3 : 10)
	    if $r[3] !~ /\+/;
	round(@r);
}
$load->end;
my $empty = wait_for {
	my $r = $d->msactl('-j', 'show', 'stats')->{json}[0];
	$r && $r->{'queue.messages'} == 0;
} 60;
ok($empty, 'the queue runs empty') or diag(map { "$_->{id} " } ($d->queue)[0 .. 5]);
$load->compare;
$load->finish;
diag('injections: ' . join(', ', map { "$_ $counts{$_}" } sort keys %counts));
$d->done;
done_testing();
