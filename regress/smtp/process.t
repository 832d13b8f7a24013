# The processes: users, roots, sandboxes, descriptors, restarts, reload.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
no warnings 'portable';

my $d = Msad->new;
my $u = $d->account(0);
my %user = ('msad-frontend' => '_msad', 'msad-auth' => '_msada', 'msad-pam' => 'root',
    'msad-keys' => '_msadk', 'msad-queue' => '_msadq', 'msad-relay' => '_msadr',
    'msad-resolver' => '_msadn', 'msad-control' => '_msadc', 'msad-lookup' => '_msadl');
my $c = $d->session(0);

sub status {
	my ($pid) = @_;
	return { Msad::slurp("/proc/$pid/status") =~ /^(\w+):\s*(.*)$/mg };
}

sub works {
	my ($name) = @_;
	my $ok = wait_for {
		my $s = $d->client or return 0;
		my $v = $s->auth_plain($u->{name}, $u->{password})->{code} == 235 &&
		    $s->submit($u->{address}, 'r@x.example',
		    "From: <$u->{address}>\r\nSubject: $name\r\n\r\nx\r\n")->{code} == 250;
		$s->close;
		return $v;
	};
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($ok, "$name: a message is accepted");
	ok($d->mails_wait(1, qr/^Subject: \Q$name\E\r?$/m), "$name: and arrives");
}

subtest 'users, roots, sandboxes' => sub {
	for my $name (sort keys %user) {
		my @p = $d->child_named($name);
		ok(@p, "$name runs") or next;
		for my $p (@p) {
			my $st = status($p->{pid});
			my $uid = getpwnam($user{$name});
			is($st->{Uid}, join("\t", ($uid) x 4), "$name is $user{$name}");
			my $limits = Msad::slurp("/proc/$p->{pid}/limits");
			like($limits, qr/^Max core file size\s+0\s+0/m, "$name: no core");
			next if $name eq 'msad-pam';
			is($st->{Groups} =~ s/\s+$//r, $st->{Groups} eq '' ? '' :
			    (getpwnam($user{$name}))[3], "$name: no further groups");
			is($st->{Seccomp}, 2, "$name: Seccomp 2");
			is($st->{NoNewPrivs}, 1, "$name: NoNewPrivs 1");
			is($st->{CapEff}, '0' x 16, "$name: no capabilities");
			my $root = readlink("/proc/$p->{pid}/root") // '?';
			isnt($root, '/', "$name: a root of its own ($root)");
			if ($name eq 'msad-queue') {
				is($root, $d->{spool}, "$name: rooted in the spool");
			} elsif ($name ne 'msad-relay' || $root !~ /box$/) {
				opendir(my $dir, $root);
				is(scalar(grep { !/^\.\.?$/ } readdir($dir)), 0, "$name: empty");
			}
		}
	}
	my %seen;
	$seen{ status($_->{pid})->{Uid} }{ $_->{name} }++ for $d->children;
	is(scalar(grep { keys %$_ > 1 } values %seen), 0, 'no two programs share a user');
	is(status($d->{pid})->{NoNewPrivs}, 0, 'msad: no no_new_privs');
	cmp_ok(scalar(() = $d->child_named('msad-frontend')), '==', 2, 'frontend workers 2');
};

subtest 'descriptors' => sub {
	for my $p ($d->children) {
		my %fd;
		for my $l (glob("/proc/$p->{pid}/fd/*")) {
			my $to = readlink($l) // next;
			my $kind = $to =~ /^(socket|pipe|anon_inode):/ ? "$1" :
			    $to =~ /memfd:/ ? 'memfd' : $to;
			$kind = $1 if $to =~ /^(anon_inode:.*)/;
			$fd{$kind}++;
		}
		my @odd = grep { $_ !~ m{^(socket|pipe|memfd|/dev/null|/dev/pam.*|anon_inode:\[event(fd|poll)\]|anon_inode:\[signalfd\])$} &&
		    $_ ne "$d->{dir}/log" &&
		    !($p->{name} eq 'msad-queue' && m{^(\Q$d->{spool}\E|/)}) &&
		    !($p->{name} eq 'msad-relay' && m{^(\Q$d->{dir}\E/box|/)}) } keys %fd;
		is("@odd", '', "$p->{name}: only descriptors that are its own");
	}
	for my $p (grep { $_->{name} ne 'msad-keys' } $d->children) {
		ok(!(grep { (readlink($_) // '') =~ /server\.key/ } glob("/proc/$p->{pid}/fd/*")),
		    "$p->{name}: no key file");
	}
};

subtest 'libraries' => sub {
	for my $prog ('msad', 'msactl', keys %user) {
		my $ldd = `ldd $Msad::BUILD/$prog 2>/dev/null`;
		my $want = $prog eq 'msad-pam';
		is(!!($ldd =~ /libpam/), !!$want, "$prog: libpam " . ($want ? 'yes' : 'no'));
		$want = $prog =~ /frontend|relay/;
		is(!!($ldd =~ /libtls/), !!$want, "$prog: libtls " . ($want ? 'yes' : 'no'));
		$want = $prog eq 'msad-lookup';
		is(!!($ldd =~ /lib$_/), !!$want, "$prog: $_ " . ($want ? 'yes' : 'no'))
		    for 'sqlite3', 'ldap', 'lber';
		$want = $prog =~ /frontend|queue|relay|lookup/;	# lookup's by libldap
		is(!!($ldd =~ /libidn2/), !!$want, "$prog: libidn2 " . ($want ? 'yes' : 'no'));
	}
};

subtest 'private keys' => sub {
	plan(skip_all => 'a sanitizer build maps too much') if $Msad::BUILD =~ /asan/;
	my $pem = `openssl pkey -in $d->{dir}/server.key -text -noout 2>/dev/null`;
	my ($hex) = $pem =~ /priv:\s*((?:[0-9a-f]{2}:?\s*)+)/;
	(my $bytes = $hex // '') =~ s/[^0-9a-f]//g;
	$bytes = pack('H*', $bytes);
	$bytes =~ s/\A\0(?=.{32}\z)//s;
	cmp_ok(length $bytes, '>=', 31, 'the private scalar');
	my $has = sub {
		my ($pid) = @_;
		open(my $mem, '<:raw', "/proc/$pid/mem") or return undef;
		for my $l (split(/\n/, Msad::slurp("/proc/$pid/maps"))) {
			my ($a, $b, $perm) = $l =~ /^([0-9a-f]+)-([0-9a-f]+) (\S+)/ or next;
			next if $perm !~ /^r/ || $l =~ /\[v(var|syscall|dso)/;
			my ($from, $len) = (hex $a, hex($b) - hex($a));
			next if $len > 1 << 28;
			sysseek($mem, $from, 0) or next;
			sysread($mem, my $buf, $len) or next;
			return 1 if index($buf, $bytes) >= 0 ||
			    index($buf, scalar reverse $bytes) >= 0;
		}
		return 0;
	};
	works('keys are used');
	for my $p ($d->children) {
		my $want = $p->{name} eq 'msad-keys';
		is(!!$has->($p->{pid}), !!$want, "P2 $p->{name}: the key " .
		    ($want ? 'is here' : 'is not in its memory'));
	}
};

subtest 'a worker dies' => sub {
	my @f = $d->child_named('msad-frontend');
	my @s = map { $d->session(0) } 1 .. 6;
	kill('KILL', $f[0]{pid});
	my $alive = 0;
	for my $s (@s) {
		my $r = $s->cmd('NOOP');
		$alive++ if $r->{code} == 250;
		ok($r->{code} == 250 || $r->{code} == 0, 'issue A.5 a session lives or is closed');
	}
	note("$alive of 6 sessions lived on");
	$_->close for @s;
	ok(wait_for { (() = $d->child_named('msad-frontend')) == 2 }, 'it is started again');
	works('after a front-end');
	for my $name ('msad-relay', 'msad-resolver', 'msad-control', 'msad-auth',
	    'msad-lookup') {
		my @old = $d->child_named($name);
		kill('KILL', map { $_->{pid} } @old);
		my %old = map { $_->{pid} => 1 } @old;
		ok(wait_for { (grep { !$old{ $_->{pid} } } $d->child_named($name)) == @old },
		    "$name: started again");
		works("after $name");
	}
	is($d->msactl('show', 'status')->{status}, 0, 'msactl works after all that');
};

subtest 'reload by SIGHUP' => sub {
	my $s = $d->session(0);
	$d->write_conf($d->conf_text =~ s/log level info/log level debug/r);
	$d->reload;
	ok($d->log_wait(qr/event=reloaded/), 'a good one is taken');
	is($s->cmd('NOOP')->{code}, 250, 'sessions keep');
	$d->write_conf("foo bar\n");
	$d->reload;
	ok($d->log_wait(qr/reload-refused|unknown word/), 'a bad one is refused with the reason');
	works('after a bad reload');
	my $text = $d->conf_text;
	$text =~ s/path "\Q$d->{spool}\E"/path "$d->{dir}\/other"/;
	$d->write_conf($text);
	my $r = $d->msactl('reload');
	isnt($r->{status}, 0, 'a change of the spool is refused');
	$d->write_conf;
	is($d->msactl('reload')->{status}, 0, 'and the first one holds again');
	works('after all reloads');
	$s->close;
};

subtest 'configuration checks' => sub {
	my $n = sub { my @a = @_; open(my $p, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh',
	    "$Msad::BUILD/msad", @a) or die; local $/; my $o = <$p>; close($p); return ($? >> 8, $o // '') };
	my ($st, $out) = $n->('-n', '-f', "$d->{dir}/msad.conf");
	is($st, 0, 'msad -n: a good one') or diag($out);
	($st, $out) = $n->('-nv', '-f', "$d->{dir}/msad.conf");
	is($st, 0, 'msad -nv');
	like($out, qr/^hostname "mail\.example\.org"$/m, 'msad -nv: the canonical text');
	spew("$d->{dir}/bad.conf", "hostname h\nfoo\nlog level loud\n");
	($st, $out) = $n->('-n', '-f', "$d->{dir}/bad.conf");
	is($st, 1, 'msad -n: a bad one');
	like($out, qr/bad\.conf:2: unknown word "foo"/, 'file:line: message');
	like($out, qr/bad\.conf:3: /, 'and the second error');
	($st, $out) = $n->('-n', '-D', 'x=h2', '-f', "$d->{dir}/bad2.conf");
	isnt($st, 0, 'a file that is not there');
	chmod 0644, "$d->{dir}/server.key";
	($st, $out) = $n->('-n', '-f', "$d->{dir}/msad.conf");
	isnt($st, 0, 'a world-readable key is an error');
	chmod 0600, "$d->{dir}/server.key";
};

subtest 'SIGTERM' => sub {
	my $s = $d->session(0);
	my $t = $d->session(0);
	$t->cmd("MAIL FROM:<$u->{address}>");
	$t->cmd('RCPT TO:<r@x.example>');
	$t->cmd('DATA');
	$t->send("From: <$u->{address}>\r\nSubject: while stopping\r\n\r\n");
	kill('TERM', $d->{pid});
	my $r = $s->reply;
	is("$r->{code} $r->{enh}", '421 4.3.2', 'R5321-3.8-a an idle session gets 421');
	ok($s->closed, 'and is closed');
	$t->send("x\r\n.\r\n");
	$r = $t->reply;
	is($r->{code}, 250, 'R5321-3.8-a a session in DATA gets its verdict') or diag($r->{text});
	is($d->stop, 0, 'clean exit');
	$d->start;
	ok($d->mails_wait(1, qr/while stopping/), 'P1 and that message arrives');
};

subtest 'fail closed' => sub {
	for my $name ('msad-keys', 'msad-queue') {
		my $p = $d->child_named($name);
		kill('KILL', $p->{pid});
		my $status;
		ok(wait_for { waitpid($d->{pid}, 1) == $d->{pid} ? ($status = $? , 1)[1] : 0 },
		    "$name dies: the family ends");
		isnt($status, 0, 'with a failure');
		$d->{pid} = undef;
		$d->start;
		works("afresh after $name");
	}
};

$d->done;
done_testing;
