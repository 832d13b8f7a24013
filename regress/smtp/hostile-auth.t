#!/usr/bin/perl
# P2, issue of identity, acceptance 5: a front-end that an attacker owns, on the
# real channels to the real auth and queue. It cannot make the queue take mail
# for a user who did not log in, use another front-end's session, have more
# than one attempt under way in a session, or ask what msactl asks; each attempt
# is logged. One attack a run, by h_hostile_auth in the place of msad-frontend.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

plan(skip_all => 'h_hostile_auth is not built')
    unless -x "$Msad::BUILD/h_hostile_auth";

my $auth_says = qr/auth\[0\]: event=ipc-violation peer=frontend/;
my $auth_forbids = qr/auth\[0\]: event=ipc-violation peer=frontend.*not allowed/;
my $queue_forbids = qr/queue\[0\]: event=ipc-violation peer=frontend.*not allowed/;
my $no_grant = qr/queue\[0\]: .*event=refused .*what=mail/;

# attack => what the attacker sees, what the log of the attacked says
my @attacks = (
	(map { [ $_, 'closed', $auth_says ] } qw(tls-twice tls-unopened
	    tls-exporter-size tls-unique-size tls-endpoint-size tls-left-over
	    tls-in-login start-in-login start-unopened response-unasked
	    smaller-session-id client-text)),
	[ 'tls-short', 'closed', qr/auth\[0\]: event=ipc-violation peer=frontend.*wrong size/ ],
	[ 'guesses', undef, qr/(?:auth\[0\]: .*event=auth-failed user="?root"? client="?192\.0\.2\.9"?.*?){3}/s ],
	[ 'mail-after-failure', 'no-grant', $no_grant ],
	[ 'mail-before-result', 'no-grant', $no_grant ],
	[ 'mail-after-cancel', 'no-grant', $no_grant ],
	(map { [ $_, 'closed', $auth_forbids ] } qw(forged-granted forged-refuse
	    forged-taken forged-pam ask-bans grant-itself unban-itself
	    test-password)),
	(map { [ $_, 'closed', $queue_forbids ] } qw(forged-revoke ask-users
	    ask-rights)),
	# other-frontend has two front-ends: see below
);

sub libexec {
	my ($dir) = @_;
	mkdir "$dir/lib";
	for my $p (glob("$Msad::BUILD/msad-*")) {
		next if -d $p;
		my ($name) = $p =~ m{([^/]+)$};
		symlink($name eq 'msad-frontend' ? "$Msad::BUILD/h_hostile_auth" : $p,
		    "$dir/lib/$name");
	}
	return "$dir/lib";
}

my $d = Msad->new(start => 0, frontend_workers => 1);
my $u = $d->account(0);
$d->{libexec} = libexec($d->{dir});
$d->{no_wait} = 1;

sub attack {
	my ($name) = @_;
	my $text = $d->conf_text;
	$text =~ s/^hostname .*/hostname "$name.example.org"/m;
	$text .= "table credentials { \"$u->{name}\" = \"$u->{password}\@any.invalid\" }\n";
	$text =~ s/ realm "[^"]*"/ realm "example.org"/;
	$d->write_conf($text);
	unlink "$d->{dir}/log";
	$d->start;
	$d->log_wait(qr/hostile attack=\Q$name\E outcome=|event=stopped|event=child-condemned/, 40);
	my ($seen) = $d->log =~ /hostile attack=\Q$name\E outcome=(\S+)/;
	return ($seen // 'none', $d->log);
}

# The honest login first: what follows would prove nothing without it.
my ($seen) = attack('none');
is($seen, 'accepted', 'an honest login of the same program is taken');
is($d->stop, 0, 'stopped');

for my $a (@attacks) {
	my ($name, $want, $re) = @$a;
	my ($got, $log) = attack($name);
	if (($want // '') eq 'closed') {
		# it may be killed before it can say what it saw
		like($got, qr/^(closed|none)$/, "P2 $name: the channel is closed");
		ok($d->log_wait(qr/event=child-condemned name=frontend.*event=child-died name=frontend\S* pid=\d+ signal=9/s),
		    "P2 $name: the worker is killed");
	} elsif (defined $want) {
		is($got, $want, "P2 $name: $want");
	} else {
		isnt($got, 'accepted', "P2 $name: $got");
	}
	ok($log =~ $re, "P2 $name: logged") or diag($log);
	ok($d->log !~ /AddressSanitizer|runtime error:|event=child-died name="?(?:auth|queue)/,
	    "P6 $name: the attacked process lives");
	$d->stop;
}

# A session id of another front-end is worth nothing.
$d->{frontend_workers} = 2;
my ($got, $log) = attack('other-frontend');
is($got, 'no-grant', "P2 other-frontend: another's session: no grant");
ok($log =~ /hostile is logged in.*event=refused .*what=mail/s,
    'P2 other-frontend: though that one was logged in');
ok($log =~ /event=auth-ok user="?\Q$u->{name}\E/, 'P2 other-frontend: logged');
$d->stop;
is(scalar($d->mails), 0, 'P2 nothing was delivered') for 1;
ok($log !~ /\Q$u->{password}\E/, 'and no password is in the log');
$d->finish;
done_testing();
