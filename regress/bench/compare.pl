#!/usr/bin/perl
# The measurement that regress/bench/run describes; it is the one to start.
use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use Getopt::Std;
use JSON::PP;
use List::Util qw(sum0 min max);
use POSIX qw(WNOHANG sysconf _SC_CLK_TCK);
use Time::HiRes qw(time);

my %o;
BEGIN {
	%o = (o => $ENV{MSAD_BUILD} // 'build', r => 3, t => 6,
	    c => 'reused,login,cheap,session,idle', s => 'msad,stock,tuned',
	    i => 2000, I => 200);
	getopts('o:r:t:c:s:i:I:', \%o)
	    or die "see the top of regress/bench/run\n";
	$ENV{MSAD_BUILD} = abs_path($o{o});
}
use lib $FindBin::Bin, "$FindBin::Bin/../smtp";
use Msad;
use Peer;

$SIG{HUP} = sub { exit 1 };
my $BUILD = $ENV{MSAD_BUILD};
my $TICK = sysconf(_SC_CLK_TCK);
my $CONNECTIONS = 20;
my $SIZE = 10000;
my ($house, $out);	# the house; its directory

# --- processes ---

# Microseconds of processor used by processes, in all and by program. What the
# children they have waited for used is "ended": a process that ends moves there.
sub cpu {
	my (@roots) = @_;
	my %by;
	for my $pid (tree(@roots)) {
		my $s = Msad::slurp("/proc/$pid/stat");
		$s =~ /^\d+ \((.*)\) (.*)$/s or next;
		my ($name, @f) = ($1, split(/ /, $2));
		$by{$name} += ($f[11] + $f[12]) * 1e6 / $TICK;
		$by{ended} += ($f[13] + $f[14]) * 1e6 / $TICK;
	}
	$by{all} = sum0(values %by);
	return \%by;
}

# Proportional set size in kB.
sub pss {
	my (@roots) = @_;
	my %by;
	for my $pid (tree(@roots)) {
		my (undef, $name) = Msad::proc_stat($pid);
		Msad::slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m
		    or next;
		$by{$name} += $1;
	}
	$by{all} = sum0(values %by);
	return \%by;
}

# --- msad ---

sub msad_new {
	my ($sink) = @_;
	$house->{relay} = qq{relay "sink" { host "127.0.0.1" port $sink }\n};
	$house->{match} = qq{match from auth sender own relay "sink"\n};
	$house->write_conf;
	$house->start;
	return { name => 'msad', port => $house->{port_tls},
	    roots => [$house->{pid}],
	    empty => sub { my $s = $house->msactl('-j', 'show', 'stats')->{json}[0];
		$s && $s->{'queue.messages'} == 0 },
	    ready => sub { gone($house->{pid}) and die 'msad has died' } };
}

# A second msad, which asks PAM each time; it has the same next hop.
sub nocache_new {
	my $other = Msad->new(start => 0, extra => $house->{extra},
	    auth_options => 'mech { plain, login } cache off',
	    relay => $house->{relay}, match => $house->{match});
	$other->start;
	return { name => 'nocache', port => $other->{port_tls},
	    roots => [$other->{pid}], empty => sub { 1 },
	    ready => sub { gone($other->{pid}) and die 'nocache has died' } };
}

# --- the load ---

sub account_cheap {
	my ($u) = @_;
	open(my $p, '|-', 'chpasswd', '-c', 'SHA512', '-s', '1000') or die;
	print $p "$u->{name}:$u->{password}\n";
	close($p) or die 'chpasswd';
	return $u;
}

sub load_command {
	my ($server, $user) = @_;
	return ("$BUILD/b_load", '-j', '-p', $server->{port}, '-u',
	    $user->{name}, '-w', $user->{password}, '-f', $user->{address});
}

# Run a load of so many messages a session: the values of one repetition.
sub measure {
	my ($server, $user, $per_session) = @_;
	$server->{ready}->();
	my $before = cpu(@{ $server->{roots} });
	my $t0 = time;
	my $pid = spawn('load', load_command($server, $user), '-c',
	    $CONNECTIONS, '-m', $per_session, '-n', 10000000, '-s', $SIZE,
	    '-t', $o{t});
	waitpid($pid, 0);
	Peer::forget($pid);
	my $r = eval { decode_json(Msad::slurp("$out/load.out")) }
	    // die "$server->{name}: the load failed: " .
	    Msad::slurp("$out/load.err") . "\n";
	&Msad::wait_for($server->{empty}, 120) or die "$server->{name}: messages stay";
	my $took = time - $t0;
	my $after = cpu(@{ $server->{roots} });
	die "$server->{name}: $r->{errors} errors, $r->{refused} refused\n"
	    if $r->{errors} || $r->{refused} || !$r->{messages};
	$r->{through_per_second} = $r->{messages} / $took;
	$r->{cpu_us} = { map { $_ => ($after->{$_} - ($before->{$_} // 0)) /
	    $r->{messages} } keys %$after };
	return $r;
}

# Hold logged-in sessions: what they cost in memory.
sub idle {
	my ($server, $user, $n) = @_;
	my $before = pss(@{ $server->{roots} });
	unlink("$out/idle.out");
	pipe(my $in, my $hold) or die;
	my $pid = fork() // die;
	if ($pid == 0) {
		close($hold);
		open(STDIN, '<&', $in);
		open(STDOUT, '>', "$out/idle.out");
		{ exec(load_command($server, $user), '-ik', '-c', $n); }
		POSIX::_exit(127);
	}
	Peer::own($pid);
	close($in);
	&Msad::wait_for(sub { Msad::slurp("$out/idle.out") =~ /^ready/ ||
	    gone($pid) }, 240);
	my $ok = Msad::slurp("$out/idle.out") =~ /^ready/;
	my $after = pss(@{ $server->{roots} });
	close($hold);
	end($pid);
	die "$server->{name}: $n sessions could not be held\n" unless $ok;
	return { sessions => $n, kb_per_session => { map { $_ =>
	    ($after->{$_} - ($before->{$_} // 0)) / $n } keys %$after } };
}

# --- results ---

sub median {
	my @v = sort { $a <=> $b } @_;
	return @v % 2 ? $v[@v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

sub summary {
	my (@runs) = @_;
	my @rate = map { $_->{messages_per_second} } @runs;
	my %s = (min => min(@rate), max => max(@rate), runs => \@runs);
	for my $k (qw(messages_per_second through_per_second p50_ms p99_ms)) {
		$s{$k} = median(map { $_->{$k} } @runs);
	}
	for my $k (keys %{ $runs[0]{cpu_us} }) {
		$s{cpu_us}{$k} = median(map { $_->{cpu_us}{$k} // 0 } @runs);
	}
	return \%s;
}

sub by_size {
	my ($h, $format) = @_;
	return join(', ', map { sprintf("%s $format", $_, $h->{$_}) }
	    sort { $h->{$b} <=> $h->{$a} } grep { $_ ne 'all' && $h->{$_} >= 0.5 }
	    keys %$h);
}

sub print_case {
	my ($case, $result, @servers) = @_;
	my $tuned = $result->{tuned};
	printf("\n%-8s %-6s %9s %17s %10s %8s %8s %8s %6s\n", 'case', 'server',
	    'msg/s', 'min..max', 'through/s', 'cpu us', 'p50 ms', 'p99 ms',
	    'ratio');
	for my $name (@servers) {
		my $s = $result->{$name} or next;
		printf("%-8s %-6s %9.1f %17s %10.1f %8.0f %8.2f %8.2f %6s\n",
		    $case, $name, $s->{messages_per_second},
		    sprintf('%.0f..%.0f', $s->{min}, $s->{max}),
		    $s->{through_per_second}, $s->{cpu_us}{all}, $s->{p50_ms},
		    $s->{p99_ms}, $tuned ? sprintf('%.2f',
		    $s->{messages_per_second} / $tuned->{messages_per_second})
		    : '-');
	}
	for my $name (grep { $result->{$_} } @servers) {
		printf("  cpu us of %s: %s\n", $name,
		    by_size($result->{$name}{cpu_us}, '%.0f'));
	}
}

# What one check of the usual hash costs this machine, in milliseconds.
sub hash_ms {
	my ($user) = @_;
	my (undef, $hash) = getpwnam($user->{name});
	my $t0 = time;
	my @h = map { crypt($user->{password}, $hash) } 1 .. 20;
	return (time - $t0) * 50;
}

# Before the END of Msad.pm, which ends msad and removes the directory.
my $main = $$;
END {
	if ($$ == $main) {
		my $status = $?;
		eval { Peer::stop_all() };
		$? = $status;
	}
}

for my $p (qw(msad b_load b_sink)) {
	-x "$BUILD/$p" or die "bench: $BUILD/$p is not built\n";
}
$| = 1;
my @servers = split(/,/, $o{s});
my @cases = split(/,/, $o{c});
$house = Msad->new(extra => 'limit session { connections 100000, ' .
	    'per-address 60000, per-network 60000, mails 1000000 }',
    start => 0);
Peer::init($house);
$out = $Peer::out;
$Peer::limit = max($o{I}, 100) + 50;

my $sink = Msad::free_port();
spawn('sink', "$BUILD/b_sink", '-p', $sink);
&Msad::wait_for(sub { -s "$out/sink.out" }) or die "the next hop does not start\n";
my %users = (login => $house->account(0));
$users{session} = $users{login};
$users{$_} = account_cheap($house->account(1)) for qw(reused cheap idle);

my %server;
$server{msad} = msad_new($sink) if grep { $_ eq 'msad' } @servers;
if (grep { $_ ne 'msad' } @servers) {
	-x '/usr/sbin/postfix' && -x '/usr/sbin/saslauthd'
	    or die "bench: Postfix or saslauthd is not there\n";
}
$server{stock} = Peer::postfix('stock', $sink, '') if grep { $_ eq 'stock' } @servers;
$server{tuned} = Peer::postfix('tuned', $sink, 'in_flow_delay = 0')
    if grep { $_ eq 'tuned' } @servers;

$server{nocache} = nocache_new()
    if $server{msad} && grep { $_ eq 'session' } @cases;

my %json = (connections => $CONNECTIONS, message_size => $SIZE,
    seconds => $o{t} + 0, repetitions => $o{r} + 0,
    processors => `getconf _NPROCESSORS_ONLN` + 0,
    hash_ms => hash_ms($users{login}));
printf("%d processors, %d connections, messages of %d octets, %d repetitions " .
    "of %d s, one hash %.1f ms\n", $json{processors}, $CONNECTIONS, $SIZE,
    $o{r}, $o{t}, $json{hash_ms});

for my $case (grep { $_ ne 'idle' } @cases) {
	my (%runs, %result);
	my @turns = $case eq 'session' && $server{nocache} ?
	    (map { $_ eq 'msad' ? ($_, 'nocache') : $_ } @servers) : @servers;
	my $per = $case eq 'session' ? 0 : $case eq 'reused' ? 500 : 1;
	for my $round (1 .. $o{r}) {
		for my $name (@turns) {
			push @{ $runs{$name} }, measure($server{$name},
			    $users{$case}, $per);
			print STDERR "$case $round $name: ",
			    int($runs{$name}[-1]{messages_per_second}), "/s\n";
		}
	}
	$result{$_} = summary(@{ $runs{$_} }) for @turns;
	print_case($case, \%result, @turns);
	$json{$case} = \%result;
}
if (grep { $_ eq 'idle' } @cases) {
	print "\n";
	for my $name (grep { $_ ne 'tuned' } @servers) {
		my $r = idle($server{$name}, $users{idle},
		    $name eq 'msad' ? $o{i} : $o{I});
		$json{idle}{$name} = $r;
		printf("idle     %-6s %9.1f kB a session, %d sessions (%s)\n",
		    $name, $r->{kb_per_session}{all}, $r->{sessions},
		    by_size($r->{kb_per_session}, '%.1f'));
	}
}
Msad::spew("$BUILD/bench.json", JSON::PP->new->canonical->pretty->encode(\%json));
print "\n$BUILD/bench.json\n";
