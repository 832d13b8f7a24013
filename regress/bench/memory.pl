#!/usr/bin/perl
# Memory of sessions in the middle of a large message: regress/bench/memory.pl
# [SESSIONS]. Prints the memory of their own (not that of programs and libraries)
# of all processes, in kB, as the octets come, and what a session takes of it. As
# root, after make.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../smtp";
use Msad;

my $n = $ARGV[0] // 200;
my $block = ('y' x 76 . "\r\n") x 420;
my $d = Msad->new(frontend_workers => 2, level => 'notice', extra =>
    "limit session { connections 20000, per-address 20000, per-network 20000 }\n");
my $u = $d->account(0);
$| = 1;

sub memory {
	my %m = (all => 0);
	for my $p ({ pid => $d->{pid}, name => 'msad' }, $d->children) {
		slurp("/proc/$p->{pid}/smaps_rollup") =~ /^Anonymous:\s+(\d+) kB/m or next;
		$m{$_} += $1 for $p->{name}, 'all';
	}
	return \%m;
}

my $warm = $d->session(0);
$warm->submit($u->{address}, 'r@x.example', "From: <$u->{address}>\r\n\r\nx\r\n");
$warm->quit;
my $start = memory();
sub show {
	my ($what) = @_;
	my $m = memory();
	printf("%-24s all %7d front-ends %6d queue %6d: %6.1f a session\n", $what,
	    $m->{all}, $m->{'msad-frontend'}, $m->{'msad-queue'},
	    ($m->{all} - $start->{all}) / $n);
}

my @c = map { $d->session(0) } 1 .. $n;
show('logged in');
for my $c (@c) {
	$c->cmd("MAIL FROM:<$u->{address}>");
	$c->cmd('RCPT TO:<r@x.example>');
	$c->cmd('DATA');
	$c->send("From: <$u->{address}>\r\nSubject: x\r\n\r\n");
}
show('header sent');
for my $mib (1 .. 10) {
	for my $c (@c) {
		$c->send($block) for 1 .. 32;
	}
	show("$mib MiB sent");
}
$_->close for @c;
$d->finish;
