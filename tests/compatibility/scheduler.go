// Runs tasks through the Go client of the v1 scheduler API in protobuf, as a framework's author would write it.
// Usage: scheduler MASTER_HOST:PORT TASKS
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/callrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

var errDone = errors.New("all tasks finished")

type runner struct {
	caller             calls.Caller
	wanted             int
	launched, finished int
}

func (r *runner) HandleEvent(ctx context.Context, e *scheduler.Event) error {
	switch e.GetType() {
	case scheduler.Event_OFFERS:
		for _, offer := range e.GetOffers().GetOffers() {
			if err := r.useOffer(ctx, &offer); err != nil {
				return err
			}
		}
	case scheduler.Event_UPDATE:
		return r.update(e.GetUpdate().GetStatus())
	}
	return nil
}

func (r *runner) useOffer(ctx context.Context, offer *mesos.Offer) error {
	wants := mesos.Resources{resources.NewCPUs(0.01).Resource, resources.NewMemory(8).Resource}
	remaining := mesos.Resources(offer.Resources)
	var tasks []mesos.TaskInfo
	for r.launched < r.wanted && resources.ContainsAll(resources.Flatten(unallocated(remaining)), wants) {
		r.launched++
		name := fmt.Sprintf("go-%d", r.launched)
		command := "true"
		tasks = append(tasks, mesos.TaskInfo{
			Name:      name,
			TaskID:    mesos.TaskID{Value: name},
			AgentID:   offer.AgentID,
			Command:   &mesos.CommandInfo{Value: &command},
			Resources: resources.Find(wants, unallocated(remaining)...),
		})
		remaining = mesos.Resources(unallocated(remaining))
		remaining.Subtract(tasks[len(tasks)-1].Resources...)
	}
	call := calls.Decline(offer.ID)
	if len(tasks) > 0 {
		call = calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(offer.ID))
	}
	return calls.CallNoData(ctx, r.caller, call)
}

// unallocated drops the allocation role, which the master puts in again.
func unallocated(in mesos.Resources) mesos.Resources {
	out := append(mesos.Resources(nil), in...)
	for i := range out {
		out[i].AllocationInfo = nil
	}
	return out
}

func (r *runner) update(status mesos.TaskStatus) error {
	switch status.GetState() {
	case mesos.TASK_FINISHED:
		r.finished++
		if r.finished == r.wanted {
			return errDone
		}
	case mesos.TASK_FAILED, mesos.TASK_LOST, mesos.TASK_ERROR, mesos.TASK_KILLED, mesos.TASK_DROPPED:
		return fmt.Errorf("task %s: %s: %s", status.TaskID.Value, status.GetState(), status.GetMessage())
	}
	return nil
}

func main() {
	wanted, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	framework := &mesos.FrameworkInfo{User: "root", Name: "go-client"}
	client := httpcli.New(
		httpcli.Endpoint(fmt.Sprintf("http://%s/api/v1/scheduler", os.Args[1])),
		httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]),
	)
	ids := store.NewInMemorySingleton()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	caller := callrules.WithFrameworkID(store.GetIgnoreErrors(ids)).Caller(httpsched.NewCaller(client))
	r := &runner{caller: caller, wanted: wanted}
	var outcome error
	handler := events.HandlerFunc(func(ctx context.Context, e *scheduler.Event) error {
		if outcome = r.HandleEvent(ctx, e); outcome == errDone {
			// Before the stream breaks: without a failover timeout the framework goes with it.
			if err := calls.CallNoData(ctx, caller, &scheduler.Call{Type: scheduler.Call_TEARDOWN}); err != nil {
				outcome = err
			}
		}
		if outcome != nil {
			cancel()
		}
		return outcome
	})
	rules := controller.LiftErrors().
		AndThen(controller.TrackSubscription(ids, 0).Eval).
		AndThen(controller.AckStatusUpdates(caller).Eval)
	err = controller.Run(ctx, framework, caller,
		controller.WithEventHandler(rules.Handle(handler)),
		controller.WithFrameworkID(store.GetIgnoreErrors(ids)),
	)
	if outcome != errDone {
		log.Fatalf("%d launched, %d finished: %v, %v", r.launched, r.finished, outcome, err)
	}
	fmt.Printf("%d tasks finished\n", r.finished)
}
