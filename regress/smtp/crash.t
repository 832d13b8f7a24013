#!/usr/bin/perl
# P1, P-dur-1, P-dur-2, R5321-6.1-a: kill -9 of every process at once, at random
# moments under load, again and again: every message that got its 250 arrives,
# whole; what arrives twice had arrived just before a kill.
# MSAD_ROUNDS says how often (default 8; make crash: 200). MSAD_SEED.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Load;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{MSAD_ROUNDS} // 8;
plan(skip_all => "$_ is not built") for Msad::Load::missing();

my $load = Msad::Load->new;
my $d = Msad->new(relay => qq{relay "sink" { host "127.0.0.1" port $load->{port} retry { 1s } }\n},
    match => qq{match from auth sender own relay "sink"\n}, level => 'notice', extra => "limit session { mails 1000000 }\n");
$load->begin($d, { size => 4000, connections => 7 }, { size => 200_000, connections => 1 });

my $seed = $ENV{MSAD_SEED} // int(rand(1e9));
diag("seed $seed");
srand($seed);
my $down = 0;
for my $round (1 .. $rounds) {
	# some messages must have come in since the last start, then a random while
	$load->moves(50, 30) or fail("round $round: the load goes on");
	select(undef, undef, undef, rand(0.7));
	my $from = time;
	$d->kill_all;
	# the record of what the next hop took is one flush away
	$load->broke($from - 1, time);
	$down++;
	$d->start;
}
is($down, $rounds, "killed and started $rounds times");
$load->end;
my $empty = wait_for {
	my $r = $d->msactl('-j', 'show', 'stats')->{json}[0];
	$r && $r->{'queue.messages'} == 0;
} 60;
ok($empty, 'the queue runs empty');
$load->compare;
my $c = $load->{counts};
cmp_ok($c->{accepted}, '>', 50 * $rounds, "$c->{accepted} messages got their 250");
# P-dur-2: only what was under way at a kill may come twice
cmp_ok($c->{twice}, '<=', $rounds * 20 * 8, 'P-dur-2 no more arrived twice than were under way');
diag("$rounds kills");
$load->finish;
$d->done;
done_testing();
