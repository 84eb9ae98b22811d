%% The actors of Erlang/OTP in the bench of actors. A node of its own runs this; it reads one order per line on stdin,
%% does the work, and answers with the microseconds it took, and with the bytes where memory is asked for.
%%
%% Processes that work are made once and kept, as those of the other contenders are.
-module(metanode_bench).
-behaviour(gen_server).
-export([main/0, init/1, handle_call/3, handle_cast/2]).

main() ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    World = #{pairs => [pair() || _ <- lists:seq(1, 14)], caller => spawn(fun caller/0),
              server => Server, answering => spawn(fun answering/0)},
    io:format("ready ~s~n", [erlang:system_info(otp_release)]),
    read(World).

read(World) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            [Order | Rest] = string:lexemes(Line, " \n"),
            Numbers = [list_to_integer(Text) || Text <- Rest],
            {Answer, Next} = obey(list_to_atom(Order), Numbers, World),
            io:format("~s~n", [lists:join(" ", [integer_to_list(Number) || Number <- Answer])]),
            read(Next);
        _ -> halt(0)
    end.

obey(send, [Senders, Count], World = #{pairs := Pairs}) ->
    {[timed(fun() -> send_all(lists:sublist(Pairs, Senders), Count) end)], World};
obey(call, [Count], World) -> {[timed(fun() -> ask(World, plain, answering, Count) end)], World};
obey(gen_server_call, [Count], World) -> {[timed(fun() -> ask(World, gen_server, server, Count) end)], World};
obey(spawn, [Count], World) ->
    {Us, Made} = timer:tc(fun() -> [spawn(fun idle/0) || _ <- lists:seq(1, Count)] end),
    kill(Made),
    {[Us], World};
obey(million, [Count], World) ->
    Before = memory(),
    Alone = erlang:processes(),
    Us = timed(fun() -> spawn_many(Count) end),
    Bytes = memory() - Before,
    kill(erlang:processes() -- Alone),
    {[Us, Bytes], World};
obey(subscribe, [Count], World) ->
    {[0], World#{subscribers => [spawn(fun subscriber/0) || _ <- lists:seq(1, Count)], count => Count}};
obey(publish, [], World = #{subscribers := Subscribers, count := Count}) -> {[publish(Subscribers, Count)], World};
obey(unsubscribe, [], World = #{subscribers := Subscribers}) ->
    kill(Subscribers),
    {[0], World#{subscribers := []}}.

timed(Work) -> element(1, timer:tc(Work)).

%% One way, counted by whoever receives.
pair() ->
    Receiver = spawn(fun() -> count(0) end),
    spawn(fun() -> sender(Receiver) end).

sender(Receiver) ->
    receive
        {send, Count, Who} ->
            send_each(Receiver, Count),
            Receiver ! {how_many, Who},
            sender(Receiver)
    end.

send_each(_, 0) -> ok;
send_each(Receiver, Left) -> Receiver ! Left, send_each(Receiver, Left - 1).

count(Seen) ->
    receive
        Number when is_integer(Number) -> count(Seen + 1);
        {how_many, Who} -> Who ! {seen, Seen}, count(0)
    end.

send_all(Pairs, Count) ->
    Self = self(),
    [Sender ! {send, Count, Self} || Sender <- Pairs],
    [receive {seen, Count} -> ok; {seen, Seen} -> exit({lost, Seen, Count}) end || _ <- Pairs].

%% Call and answer, one at a time: bare messages with a reference, and gen_server:call.
caller() ->
    receive
        {ask, How, Whom, Count, Who} -> ask_each(How, Whom, Count), Who ! asked, caller()
    end.

ask_each(_, _, 0) -> ok;
ask_each(gen_server, Whom, Left) -> Left = gen_server:call(Whom, Left), ask_each(gen_server, Whom, Left - 1);
ask_each(plain, Whom, Left) ->
    Ref = make_ref(),
    Whom ! {ask, self(), Ref, Left},
    receive {Ref, Left} -> ok end,
    ask_each(plain, Whom, Left - 1).

answering() ->
    receive {ask, Who, Ref, Value} -> Who ! {Ref, Value}, answering() end.

ask(World = #{caller := Caller}, How, Callee, Count) ->
    Caller ! {ask, How, maps:get(Callee, World), Count, self()},
    receive asked -> ok end.

init([]) -> {ok, nothing}.
handle_call(Value, _From, State) -> {reply, Value, State}.
handle_cast(_, State) -> {noreply, State}.

idle() -> receive stop -> ok end.

spawn_many(0) -> ok;
spawn_many(Left) -> spawn(fun idle/0), spawn_many(Left - 1).

%% Everything that the virtual machine has allocated.
memory() ->
    erlang:garbage_collect(),
    erlang:memory(total).

%% One message to each of many processes; the last one to handle it says so.
publish(Subscribers, Count) ->
    Handled = atomics:new(1, []),
    Event = {event, Handled, Count, self()},
    timed(fun() ->
        publish_each(Subscribers, Event),
        receive handled -> ok end
    end).

publish_each([], _) -> ok;
publish_each([Subscriber | Rest], Event) -> Subscriber ! Event, publish_each(Rest, Event).

subscriber() ->
    receive
        {event, Handled, Count, Who} ->
            case atomics:add_get(Handled, 1, 1) of
                Count -> Who ! handled;
                _ -> ok
            end,
            subscriber()
    end.

kill(Pids) ->
    [exit(Pid, kill) || Pid <- Pids],
    [await_end(Pid) || Pid <- Pids],
    erlang:garbage_collect().

await_end(Pid) ->
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, _} -> ok end.
