#!/usr/bin/perl
# P1, P-dur-1, P-dur-2, R5321-6.1-a: kill -9 of every process at once, at random
# moments under load, again and again: every message that got its 250 arrives.
# MSAD_ROUNDS says how often (default 8).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{MSAD_ROUNDS} // 8;
for (qw(b_load b_sink)) {
	plan(skip_all => "$_ is not built") unless -x "$Msad::BUILD/$_";
}

my $port = free_port();
my $d = Msad->new(relay => qq{relay "sink" { host "127.0.0.1" port $port retry { 1s } }\n},
    match => qq{match from auth sender own relay "sink"\n}, level => 'notice', extra => "limit session { mails 1000000 }\n");
my $u = $d->account(0);

sub spawn {
	my ($out, @cmd) = @_;
	my $pid = fork() // die;
	if ($pid == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', $out);
		open(STDERR, '>>', "$out.err");
		{ exec(@cmd); }
		POSIX::_exit(127);
	}
	return $pid;
}

my $sink = spawn("$d->{dir}/sink.out", "$Msad::BUILD/b_sink", '-p', $port, '-o', "$d->{dir}/received");
my $listens = wait_for { -s "$d->{dir}/sink.out" };
ok($listens, 'the next hop listens');
my $load = spawn("$d->{dir}/load.out", "$Msad::BUILD/b_load", qw(-k -j -c 8 -m 200 -n 10000000 -s 4000), '-t', 600,
    '-p', $d->{port_tls}, '-u', $u->{name}, '-w', $u->{password}, '-f', $u->{address}, '-o', "$d->{dir}/accepted");

sub lines { my $n = () = slurp($_[0]) =~ /\n/g; return $n }

my $seed = $ENV{MSAD_SEED} // int(rand(1e9));
diag("seed $seed");
srand($seed);
my $down = 0;
for my $round (1 .. $rounds) {
	# some messages must have come in since the last start, then a random while
	my $have = lines("$d->{dir}/accepted");
	wait_for { lines("$d->{dir}/accepted") > $have + 50 } 30
	    or fail("round $round: the load goes on");
	select(undef, undef, undef, rand(0.7));
	$d->kill_all;
	$down++;
	$d->start;
}
is($down, $rounds, "killed and started $rounds times");
kill('TERM', $load);
waitpid($load, 0);

my $empty = wait_for {
	my $r = $d->msactl('-j', 'show', 'stats')->{json}[0];
	$r && $r->{'queue.messages'} == 0;
} 60;
ok($empty, 'the queue runs empty');
my %got;
$got{$_}++ for split(/\n/, slurp("$d->{dir}/received"));
my @accepted = split(/\n/, slurp("$d->{dir}/accepted"));
my @lost = grep { !$got{$_} } @accepted;
my $twice = grep { $_ > 1 } values %got;
cmp_ok(scalar(@accepted), '>', 50 * $rounds, scalar(@accepted) . ' messages got their 250');
is(scalar(@lost), 0, "P1 none of them is lost");
diag(scalar(@accepted) . " accepted, " . scalar(keys %got) . " arrived, $twice arrived twice, " . scalar(@lost) . " lost, $rounds kills");
# P-dur-2: only what was under way at a kill may come twice
cmp_ok($twice, '<=', $rounds * 20 * 8, 'P-dur-2 no more arrived twice than were under way');
kill('TERM', $sink);
waitpid($sink, 0);
$d->done;
done_testing();
