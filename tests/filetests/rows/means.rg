; test eval
; test plan target=x86-64-v4
; test check

// Average over tokens, as a classifier's head does.
graph means {
  %x = input : f32[2, 6, 5]
  %m = reduce %x { op = mean, axis = -2 }
  %y = reshape %m { shape = [2, 5] }
  return %y
}

; expect eval
;   60 flops
;   %y : f32[2, 5] = 0.24219 0.28385 0.13542 -0.14062 0.15104 0.01042 … norm 0.65977

; expect plan target=x86-64-v4
;   plan means {
;     %y = row [2, 5] reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
