; test eval
; test plan target=x86-64-v4
; test check

// The axis is not the last: lanes lie across it, and nothing is moved.
graph softmax_first_axis {
  %x = input : f32[5, 6]
  %y = softmax %x { axis = 0 }
  return %y
}

; expect eval
;   150 flops
;   %y : f32[5, 6] = 0.17005 0.19184 0.29601 0.11468 0.10789 0.28870 … norm 1.20758

; expect plan target=x86-64-v4
;   plan softmax_first_axis {
;     %y = row [5, 6] reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
