#!/usr/bin/perl
# P2, P3: a front-end that an attacker owns, on the real channels to the real
# auth, keys and queue. h_hostile takes the place of msad-frontend and tries
# one attack a run; each must fail in the way named here and be logged.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

plan(skip_all => 'h_hostile is not built') unless -x "$Msad::BUILD/h_hostile";

# attack => what the attacker sees, what the log of the attacked says
my @attacks = (
	[ 'mail-without-login', 'no-grant', qr/queue\[0\]: .*event=refused/ ],
	[ 'every-session-id', 'no-grant', qr/queue\[0\]: .*event=refused/ ],
	[ 'forged-sender', 'sender-denied', qr/queue\[0\]: .*root\@example\.org/ ],
	[ 'other-session', 'no-grant', qr/queue\[0\]: .*event=refused/ ],
	[ 'after-close', 'no-grant', qr/queue\[0\]: .*event=refused/ ],
	[ 'reopened-session', 'closed', qr/auth\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'two-attempts', 'closed', qr/auth\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'rcpt-while-asked', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'data-while-asked', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'end-while-asked', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'mail-while-asked', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'resets-while-asked', 'accepted', qr/event=started/ ],
	[ 'forged-grant', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend.*not allowed/ ],
	[ 'invented-local-session', 'no-grant', qr/queue\[0\]: .*event=refused/ ],
	[ 'opened-local-session', 'closed', qr/auth\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'forged-name', 'closed', qr/auth\[0\]: event=ipc-violation peer=frontend.*not allowed/ ],
	[ 'wrong-direction', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend.*not allowed/ ],
	[ 'bare-lf-body', 'malformed', qr/queue\[0\]: .*bare/i ],
	[ 'smuggled-end', 'malformed', qr/queue\[0\]: .*bare/i ],
	[ 'nul-body', 'malformed', qr/queue\[0\]: .*NUL/ ],
	[ 'bare-cr-header', 'malformed', qr/queue\[0\]: .*bare/i ],
	[ 'blank-line-in-header', 'malformed', qr/queue\[0\]: .*event=refused/ ],
	[ 'two-froms', 'malformed', qr/queue\[0\]: .*From/i ],
	[ 'forged-from', 'from-denied', qr/queue\[0\]: .*From field names root\@example\.org/ ],
	[ 'forged-from-second', 'from-denied', qr/queue\[0\]: .*From field names root\@/ ],
	[ 'forged-from-comment', 'from-denied', qr/queue\[0\]: .*From field names root\@/ ],
	[ 'forged-from-route', 'malformed', qr/queue\[0\]: .*From field has an obsolete form/ ],
	[ 'forged-from-broken', 'malformed', qr/queue\[0\]: .*From field has/ ],
	[ 'forged-sender-field', 'from-denied', qr/queue\[0\]: .*Sender field names root\@/ ],
	[ 'forged-resent', 'from-denied', qr/queue\[0\]: .*Resent-From field names root\@/ ],
	[ 'forged-results', 'malformed', qr/queue\[0\]: .*Authentication-Results field in our name/ ],
	[ 'ehlo-injection', undef, qr/queue\[0\]: .*event=accepted/ ],
	[ 'rcpt-injection', 'bad-rcpt', qr/queue\[0\]: .*event=refused/ ],
	[ 'no-credit', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'wrong-size', 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ],
	[ 'sign-anything', 'no-grant', qr/keys\[0\]: .*refused/ ],
	# parameters that are not canonical
	(map { [ $_, 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ] }
	    qw(mail-params-order mail-params-case mail-params-foreign mail-params-injection
	    rcpt-params-8bit rcpt-params-order end-flags)),
	# times out of bounds: those that no clock explains, and the others
	(map { [ $_, 'closed', qr/queue\[0\]: event=ipc-violation peer=frontend/ ] }
	    qw(hold-too-long hold-beyond-by)),
	(map { [ $_, 'bad-parameter', qr/queue\[0\]: .*event=refused .*what=mail/ ] }
	    qw(hold-past hold-for-ever)),
	# R6710-4.1-b: what is granted is the queue's to say
	[ 'forged-priority', 'priority-changed', qr/queue\[0\]: .*event=priority .*asked=9 priority=0/ ],
	# UTF-8 that was not asked for, and what is none
	(map { [ $_, 'bad-sender', qr/queue\[0\]: .*event=refused .*what=mail/ ] }
	    qw(utf8-sender utf8-sender-bad utf8-sender-c1 utf8-sender-domain)),
	[ 'utf8-sender-alike', 'sender-denied', qr/queue\[0\]: .*event=refused .*what=mail/ ],
	(map { [ $_, 'bad-rcpt', qr/queue\[0\]: .*event=refused .*what=rcpt/ ] }
	    qw(utf8-rcpt utf8-rcpt-bad utf8-rcpt-domain)),
	[ 'utf8-header', 'malformed', qr/queue\[0\]: .*outside ASCII in the header/ ],
	[ 'utf8-header-bad', 'malformed', qr/queue\[0\]: .*not UTF-8 in the header/ ],
	[ 'utf8-header-c1', 'malformed', qr/queue\[0\]: .*not UTF-8 in the header/ ],
	[ 'utf8-from-alike', 'from-denied', qr/queue\[0\]: .*From field names/ ],
);

# The programs of the build, but the front-end is the attacker's.
sub libexec {
	my ($dir) = @_;
	mkdir "$dir/lib";
	for my $p (glob("$Msad::BUILD/msad-*")) {
		next if -d $p;
		my ($name) = $p =~ m{([^/]+)$};
		symlink($name eq 'msad-frontend' ? "$Msad::BUILD/h_hostile" : $p,
		    "$dir/lib/$name");
	}
	return "$dir/lib";
}

my $d = Msad->new(start => 0, frontend_workers => 1);
my $u = $d->account(0);
# a server that takes connections and never says a word
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
$d->{libexec} = libexec($d->{dir});
$d->{no_wait} = 1;

sub attack {
	my ($name) = @_;
	my $text = $d->conf_text;
	$text =~ s/^hostname .*/hostname "$name.example.org"/m;
	$text .= "table credentials { \"$u->{name}\" = \"$u->{password}\@any.invalid\" }\n";
	$text .= "table silent ldap:\"ldap://127.0.0.1:" . $silent->sockport . "\" " .
	    "{ base b filter %u attribute mail }\n" .
	    "match from auth sender <silent> relay box\n" if $name =~ /-while-asked$/;
	$d->write_conf($text);
	unlink "$d->{dir}/log";
	$d->start;
	$d->log_wait(qr/hostile attack=\Q$name\E outcome=|event=stopped|event=child-condemned/, 40);
	my ($seen) = $d->log =~ /hostile attack=\Q$name\E outcome=(\S+)/;
	return ($seen // 'none', $d->log);
}

# The honest message first: what follows would prove nothing without it.
my ($seen) = attack('none');
is($seen, 'accepted', 'an honest message of the same program is taken');
ok($d->mails_wait(1, qr/^text/m), 'and delivered');
is($d->stop, 0, 'stopped');

my $before = () = $d->mails;
for my $a (@attacks) {
	my ($name, $want, $re) = @$a;
	my ($got, $log) = attack($name);
	if (($want // '') eq 'closed') {
		# it may be killed before it can say what it saw
		like($got, qr/^(closed|none)$/, "P2 $name: the channel is closed");
	} elsif (defined $want) {
		is($got, $want, "P2 $name: $want");
	} else {
		isnt($got, 'none', "P2 $name: $got");
	}
	like($log, $re, "P2 $name: logged");
	ok($d->log_wait(qr/event=child-condemned name=frontend.*event=child-died name=frontend\S* pid=\d+ signal=9/s),
	    "P2 $name: the worker is killed") if ($want // '') eq 'closed';
	unlike($log, qr/AddressSanitizer|runtime error:|event=child-died name="?(?:auth|queue|keys)/,
	    "P6 $name: the attacked process lives");
	$d->stop;
	my @new = $d->mails;
	if ($name eq 'ehlo-injection') {
		unlike(join('', @new), qr/^X-Injected/m, 'P2 no injected field arrives');
		unlike(join('', @new), qr/^Received: from trusted/m, 'P2 no injected Received');
		$before = @new;
	} else {
		is(scalar(@new), $before, "P2 $name: nothing was delivered");
	}
}
$d->finish;
done_testing();
