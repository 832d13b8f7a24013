# Tables of senders that real databases serve: SQLite and a slapd of our own,
# stopped, slow, locked and back again; the process that asks them killed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../smtp";
use Msad;
use Backends;
use Test::More;
use Time::HiRes qw(time);

my $sqlite = Backend::program('sqlite3');
plan(skip_all => 'no sqlite3') unless $sqlite;
if (my $why = Slapd::missing()) {
	plan(skip_all => $why);
}

my $d = Msad->new(start => 0);
my ($ann, $bob, $cat) = map { $d->account($_) } 0 .. 2;
my $db = "$d->{dir}/senders.db";

sub sql {
	my ($text) = @_;
	open(my $p, '|-', $sqlite, '-bail', $db) or die "sqlite3: $!";
	print $p "$text\n";
	close($p) or die "sqlite3: $?";
}

sql("CREATE TABLE senders (login TEXT, address TEXT);" .
    "INSERT INTO senders VALUES ('$ann->{name}', 'sales\@example.org');" .
    "INSERT INTO senders VALUES ('$ann->{name}', '\@shop.example');" .
    "INSERT INTO senders VALUES ('$ann->{name}', 'no address at all');" .
    "INSERT INTO senders VALUES ('$bob->{name}', NULL);");
chmod 0600, $db;
my $many = join('', map { "mail: bulk$_\@many.example\n" } 1 .. 300);
my $ldap = Slapd->new(dir => $d->{dir}, entries =>
    "dn: uid=$bob->{name},dc=example,dc=org\nobjectClass: inetOrgPerson\n" .
    "cn: Bob\nsn: B\nuid: $bob->{name}\nmail: bob.b\@example.org\n" .
    "mail: Info\@Example.ORG\n\n" .
    "dn: uid=$cat->{name},dc=example,dc=org\nobjectClass: inetOrgPerson\n" .
    "cn: Cat\nsn: C\nuid: $cat->{name}\n$many\n" .
    "dn: cn=reader,dc=example,dc=org\nobjectClass: organizationalRole\n" .
    "objectClass: simpleSecurityObject\ncn: reader\nuserPassword: read-it\n");
spew("$d->{dir}/ldap.pw", "read-it\n", 0600);
$d->maildir("$d->{dir}/$_") for qw(db dir);
$d->{relay} = join('', map { "relay \"$_\" { maildir \"$d->{dir}/$_\" }\n" } qw(db dir));
$d->{extra} = "limit session { mails 100000 }\n";
$d->{tables} = <<"CONF";
table "db" sqlite:"$db" {
	query "SELECT address FROM senders WHERE login = ?"
}
table "dir" ldap:"ldap://127.0.0.1:$ldap->{port}/" {
	base "$ldap->{base}"
	filter "(&(objectClass=inetOrgPerson)(uid=%u))"
	attribute "mail"
	bind-dn "cn=reader,$ldap->{base}"
	password-file "$d->{dir}/ldap.pw"
}
CONF
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from auth sender <db> relay \"db\"\n" .
    "match from auth sender <dir> relay \"dir\"\n";
$d->write_conf;
$d->start;

my $serial = 0;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

sub mail {
	my ($c, $from, $header) = @_;
	$serial++;
	my $r = $c->submit($from, 'rcpt@x.example', "From: <" . ($header // $from) .
	    ">\r\nSubject: number $serial.\r\n\r\nx\r\n");
	$c->cmd('RSET') if $r->{code} != 250;
	return $r;
}

# MAIL alone, and how long its answer took.
sub asks {
	my ($c, $from) = @_;
	my $t = time;
	my $r = $c->cmd("MAIL FROM:<$from>");
	my $took = time - $t;
	$c->cmd('RSET');
	return ($r, $took);
}

my ($a, $b, $c) = map { $d->session($_) } 0 .. 2;

subtest 'what the databases say' => sub {
	says(mail($a, 'sales@example.org'), 250, '2.0.0', 'R6409-6.1-a sqlite: an address');
	ok($d->mails_wait(1, qr/number $serial\./, "$d->{dir}/db"), 'by its rule');
	says(mail($a, 'x@SHOP.example'), 250, '2.0.0', 'R6409-6.1-a sqlite: a domain');
	says(mail($b, 'bob.b@example.org'), 250, '2.0.0', 'R6409-6.1-a ldap: an address');
	ok($d->mails_wait(1, qr/number $serial\./, "$d->{dir}/dir"), 'by its rule');
	says(mail($b, 'Info@example.org'), 250, '2.0.0', 'R6409-6.1-a ldap: a second value');
	says(mail($b, 'info@example.org'), 550, '5.7.1', 'R5321-4.1.2-a the local part as written');
	says(mail($a, $ann->{address}), 250, '2.0.0', 'own needs no database');
	for my $from ('bob.b@example.org', 'other@example.org', 'x@sub.shop.example') {
		says(mail($a, $from), 550, '5.7.1', "R6409-6.1-a not hers: $from");
	}
	says(mail($b, 'sales@example.org'), 550, '5.7.1', 'R6409-6.1-a not his');
	says(mail($a, 'sales@example.org', 'x@shop.example'), 250, '2.0.0',
	    'R6409-6.1-b From by the same answer');
	says(mail($a, 'sales@example.org', 'bob.b@example.org'), 550, '5.7.1',
	    'R6409-6.1-b From that is not hers');
	my $r = $a->submit('', 'rcpt@x.example', "From: <sales\@example.org>\r\n\r\nx\r\n");
	$a->cmd('RSET');
	says($r, 550, '5.7.1', 'R6409-6.1-b the null sender has the rule of the own address');
	says(mail($c, "bulk1\@many.example"), 451, '4.3.0', 'more values than an answer holds: 451');
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
	cmp_ok($s->{'queue.lookups'} // 0, '>=', 4, 'msactl show stats counts queue.lookups');
	cmp_ok($s->{'queue.lookups.failed'} // 0, '>=', 1, 'and those without an answer');
	like($d->log, qr/event=lookup-odd table="?db"? user="?$ann->{name}"?/,
	    'a value that is no address is logged');
};

subtest 'a change is seen' => sub {
	sql("INSERT INTO senders VALUES ('$ann->{name}', 'new\@example.org');");
	ok(wait_for { (asks($a, 'new@example.org'))[0]{code} == 250 }, 'within seconds');
	sql("DELETE FROM senders WHERE address = 'new\@example.org';");
	ok(wait_for { (asks($a, 'new@example.org'))[0]{code} == 550 }, 'and when it is taken back');
};

# ask for what nothing is cached of: a login of its own each time
sub slow {
	my ($what) = @_;
	my ($r, $took) = asks($b, 'bob.b@example.org');
	for (1 .. 3) {	# an answer may be fresh for some seconds
		last if $r->{code} != 250;
		wait_for { ($r, $took) = asks($b, 'bob.b@example.org'); $r->{code} != 250 } 15;
	}
	says($r, 451, '4.3.0', "$what: 451");
	cmp_ok($took, '<', 8, "$what: in bounded time ($took s)");
	(my $r2, $took) = asks($a, $ann->{address});
	says($r2, 250, '2.1.0', "$what: mail that does not need it goes on");
	cmp_ok($took, '<', 2, "$what: at once ($took s)");
}

subtest 'slapd hangs' => sub {
	$ldap->pause;
	slow('a server that hangs');
	# somebody else's mail while one waits
	my $e = $d->session(1);
	$e->send("MAIL FROM:<bob.b\@example.org>\r\n");
	my $t = time;
	says(mail($a, $ann->{address}), 250, '2.0.0', 'a message while another waits');
	cmp_ok(time - $t, '<', 2, 'at once');
	my $gone = $d->session(1);
	$gone->send("MAIL FROM:<bob.b\@example.org>\r\n");
	$gone->close;
	says($e->reply, 451, '4.3.0', 'and the one that waited');
	$ldap->resume;
	ok(wait_for { (asks($b, 'bob.b@example.org'))[0]{code} == 250 }, 'it answers again: 250');
	like($d->log, qr/event=lookup-back table="?dir/, 'which is logged');
	$e->close;
};

subtest 'slapd is down' => sub {
	$ldap->stop;
	slow('a server that is down');
	says((asks($b, 'other@example.org'))[0], 451, '4.3.0',
	    'what only it could allow is not refused either');
	$ldap->start;
	ok(wait_for { (asks($b, 'bob.b@example.org'))[0]{code} == 250 }, 'it is back: 250');
};

subtest 'sqlite is locked' => sub {
	open(my $p, '|-', $sqlite, $db) or die;
	$p->autoflush(1);
	print $p "BEGIN EXCLUSIVE; SELECT writefile('$d->{dir}/locked', 'x');\n";
	my $held = wait_for { -e "$d->{dir}/locked" } 5;
	ok($held, 'a writer holds it');
	my ($r, $took);
	wait_for { ($r, $took) = asks($a, 'sales@example.org'); $r->{code} != 250 } 15;
	says($r, 451, '4.3.0', 'a database that is locked: 451');
	cmp_ok($took, '<', 8, "in bounded time ($took s)");
	says((asks($a, $ann->{address}))[0], 250, '2.1.0', 'her own address goes on');
	print $p "COMMIT;\n";
	close($p);
	ok(wait_for { (asks($a, 'sales@example.org'))[0]{code} == 250 }, 'and then 250');
};

subtest 'a bind that is refused' => sub {
	spew("$d->{dir}/ldap.pw", "wrong\n", 0600);
	is($d->msactl('reload')->{status}, 0, 'a password that is wrong');
	my ($r) = asks($b, 'bob.b@example.org');
	says($r, 451, '4.3.0', 'gives 451');
	ok($d->log_wait(qr/event=lookup-failed table="?dir"? .*Invalid credentials/), 'with the reason');
	spew("$d->{dir}/ldap.pw", "read-it\n", 0644);
	isnt($d->msactl('reload')->{status}, 0, 'a password for all to read is refused');
	chmod 0600, "$d->{dir}/ldap.pw";
	my $good = $d->{tables};
	$d->{tables} =~ s/\tbind-dn.*\n\tpassword-file.*\n//;
	$d->write_conf;
	is($d->msactl('reload')->{status}, 0, 'anonymously');
	says((asks($b, 'bob.b@example.org'))[0], 250, '2.1.0', 'it answers, too');
	$d->{tables} = $good;
	$d->write_conf;
	is($d->msactl('reload')->{status}, 0, 'and again as before');
};

subtest 'msad-lookup dies' => sub {
	my $p = $d->child_named('msad-lookup');
	kill('KILL', $p->{pid});
	ok(wait_for { my $q = $d->child_named('msad-lookup'); $q && $q->{pid} != $p->{pid} },
	    'it is started again');
	ok(wait_for { (asks($a, 'sales@example.org'))[0]{code} == 250 &&
	    (asks($b, 'bob.b@example.org'))[0]{code} == 250 }, 'and answers');
	is($a->cmd('NOOP')->{code}, 250, 'sessions lived on');
};

subtest 'the process has no other right' => sub {
	my $p = $d->child_named('msad-lookup');
	my @odd = grep { !/^(socket|anon_inode|pipe):/ && !/memfd|^\/dev\/null$/ &&
	    $_ ne "$d->{dir}/log" && $_ ne $db }
	    map { readlink($_) // () } glob("/proc/$p->{pid}/fd/*");
	is("@odd", '', 'its descriptors: channels, the log, the database');
	cmp_ok(scalar(@{[glob("/proc/$p->{pid}/fd/*")]}), '<', 16,
	    'and none is left of old connections');
	my ($flags) = map { Msad::slurp($_ =~ s/fd\/(\d+)$/fdinfo\/$1/r) =~ /^flags:\s*(\d+)/m }
	    grep { (readlink($_) // '') eq $db } glob("/proc/$p->{pid}/fd/*");
	is(oct($flags // 1) & 3, 0, 'which is open for reading alone');
};

subtest 'reload' => sub {
	my $good = $d->{tables};
	$d->{tables} =~ s/SELECT address/SELECT upper(address)/;
	$d->write_conf;
	is($d->msactl('reload')->{status}, 0, 'another query');
	ok(wait_for { (asks($a, 'SALES@example.org'))[0]{code} == 250 }, 'holds at once');
	my %bad = ('SELECT a FROM nowhere WHERE x = ?' => qr/no such table/,
	    'DELETE FROM senders WHERE login = ?' => qr/does not read/,
	    'SELECT address FROM senders' => qr/not one parameter/,
	    'SELECT 1; SELECT ?' => qr/not one statement/,
	    "SELECT load_extension('/x') WHERE ? = ''" => undef);
	for my $q (sort keys %bad) {
		($d->{tables} = $good) =~ s/query "[^"]*"/query "$q"/;
		$d->write_conf;
		my $r = $d->msactl('reload');
		my $text = $r->{out} . $r->{err};
		if ($bad{$q}) {
			isnt($r->{status}, 0, "refused: $q");
			like($text, $bad{$q}, 'with the reason');
		} else {
			# it reads, but the function is not there to be used
			my ($m) = asks($a, 'sales@example.org');
			isnt($m->{code}, 250, "nothing by it: $q");
		}
	}
	$d->{tables} = $good;
	sql('PRAGMA journal_mode = WAL;');
	$d->write_conf;
	my $r = $d->msactl('reload');
	isnt($r->{status}, 0, 'a database in WAL mode is refused');
	like($r->{out} . $r->{err}, qr/WAL/, 'with the reason');
	sql('PRAGMA journal_mode = DELETE;');
	is($d->msactl('reload')->{status}, 0, 'and the first one is taken again');
	ok(wait_for { (asks($a, 'sales@example.org'))[0]{code} == 250 }, 'and holds');
};

$_->quit for $a, $b, $c;
$ldap->stop;
$d->done;
done_testing;
