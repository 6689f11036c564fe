; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test check

graph outputs_that_are_inputs {
  %x = input : f32[4, 8]
  %w = weight : f32[8]
  %x.copy = add %x, %w
  %same = reshape %x { shape = [4, 8] }
  return %x, %x, %x.copy, %x.copy, %w, %same
}

; expect plan target=x86-64-v4
;   plan outputs_that_are_inputs {
;     %x.copy = row [1, 32] reading %x, %w
;     %x.copy.2 = row [1, 32] reading %x
;     %x.copy.3 = row [1, 32] reading %x
;     %x.copy.copy = row [1, 32] reading %x.copy
;     %w.copy = row [1, 8] reading %w
;     %x.copy.4 = row [1, 32] reading %x
;   }

; expect schedule target=x86-64-v4
;   schedule outputs_that_are_inputs for x86-64-v4 {
;     %x.copy row rows 1 inner 8
;     %x.copy.2 row rows 1 inner 16
;     %x.copy.3 row rows 1 inner 16
;     %x.copy.copy row rows 1 inner 16
;     %w.copy row rows 1 inner 8
;     %x.copy.4 row rows 1 inner 16
;   }

; expect check
;   %x, %x, %x.copy, %x.copy, %w, %same within 1e-5 of the reference
